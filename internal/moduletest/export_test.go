package moduletest

// RunPackages runs the tests of packages, whose module is in dir.
var RunPackages = run

// ReadInputs makes the result of a test depend on the tree.
var ReadInputs = readInputs
