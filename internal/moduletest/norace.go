//go:build !race

package moduletest

const race = false
