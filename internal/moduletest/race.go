//go:build race

package moduletest

const race = true
