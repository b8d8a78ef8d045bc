package moduletest

import (
	"regexp"
	"strings"
	"testing"
)

// event is a line of the output of go test -json. See "go doc test2json".
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build that failed, instead of Package
	Test       string
	Output     string
}

// result is a package, a test or a subtest, with what it printed.
type result struct {
	name   string // the last part of the name of a test
	action string // "pass", "fail", "skip", or "" while it runs
	output strings.Builder
	tests  []*result
}

// child returns the result of a test or subtest, which it creates if it is new.
func (r *result) child(name string) *result {
	for _, c := range r.tests {
		if c.name == name {
			return c
		}
	}
	c := &result{name: name}
	r.tests = append(r.tests, c)
	return c
}

// at returns the result of a test such as "TestA/b/c".
func (r *result) at(test string) *result {
	if test == "" {
		return r
	}
	for name := range strings.SplitSeq(test, "/") {
		r = r.child(name)
	}
	return r
}

// framing matches the lines that the testing package writes about tests. They are left out, because
// the outer test writes such lines itself.
var framing = regexp.MustCompile(`^(=== (RUN|PAUSE|CONT|NAME) |\s*--- (PASS|FAIL|SKIP|BENCH): )`)

// add adds an event of the package r to the result of its test.
func (r *result) add(e event) {
	test := r.at(e.Test)
	switch e.Action {
	case "output":
		if !framing.MatchString(e.Output) {
			test.output.WriteString(e.Output)
		}
	case "pass", "fail", "skip":
		test.action = e.Action
	}
}

// report makes the tests below r subtests of t and gives t the result of r.
func (r *result) report(t *testing.T) {
	for _, test := range r.tests {
		t.Run(test.name, test.report)
	}
	_, _ = t.Output().Write([]byte(r.output.String()))
	switch {
	case r.action == "fail", r.action == "": // a test without a result was running when its process ended
		t.Fail()
	case r.action == "skip" && !t.Failed():
		t.SkipNow()
	}
}

// count returns the number of tests that ended, without subtests.
func (r *result) count() (n int) {
	for _, test := range r.tests {
		if test.action != "" {
			n++
		}
	}
	return n
}
