package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// file is one parsed source file.
type file struct {
	path   string // relative to the root of the tree, with slashes
	syntax *ast.File
	lines  *token.FileSet
}

func (f file) dir() string  { return path.Dir(f.path) }
func (f file) test() bool   { return strings.HasSuffix(f.path, "_test.go") }
func (f file) isDoc() bool  { return path.Base(f.path) == "doc.go" }
func (f file) public() bool { return f.syntax.Name.Name != "main" && !within(f.dir(), "internal/...") }

// line returns the line of a position in f.
func (f file) line(pos token.Pos) int { return f.lines.Position(pos).Line }

// parse parses the file name with the content src.
func parse(name string, src []byte) (file, error) {
	lines := token.NewFileSet()
	syntax, err := parser.ParseFile(lines, name, src, parser.ParseComments|parser.SkipObjectResolution)
	return file{path: name, syntax: syntax, lines: lines}, err
}

// parseTree parses the Go files of the modules that go.work in tree lists. It leaves out what the
// go command leaves out: other nested modules, testdata, and names that begin with a dot or an
// underscore.
func parseTree(tree fs.FS) ([]file, error) {
	var files []file
	modules, err := workModules(tree)
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case strings.HasPrefix(entry.Name(), "."), strings.HasPrefix(entry.Name(), "_"):
			return skip(entry)
		case entry.IsDir():
			_, err := fs.Stat(tree, path.Join(name, "go.mod"))
			if err == nil && !slices.Contains(modules, name) || entry.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		case path.Ext(name) != ".go":
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		parsed, err := parse(name, src)
		files = append(files, parsed)
		return err
	})
	return files, err
}

// workModules returns the directories of the modules that go.work lists.
func workModules(tree fs.FS) (directories []string, err error) {
	content, err := fs.ReadFile(tree, "go.work")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(content)) {
		if directory, listed := strings.CutPrefix(line, "\t."); listed { // go work edit -fmt indents so
			directories = append(directories, path.Clean(strings.Trim(directory, "/\n")))
		}
	}
	return directories, nil
}

func skip(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// within reports whether a name of the table covers dir. A name covers the directory itself; if it
// ends in "/...", it covers all directories below.
func within(dir, name string) bool {
	if parent, all := strings.CutSuffix(name, "/..."); all {
		return strings.HasPrefix(dir, parent+"/")
	}
	return dir == name
}

func withinAny(dir string, names []string) bool {
	for _, name := range names {
		if within(dir, name) {
			return true
		}
	}
	return false
}
