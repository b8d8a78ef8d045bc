package moduletest

// RunPackages runs the tests of packages, whose module is in dir.
var RunPackages = run
