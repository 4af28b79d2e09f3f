package bayeux_test

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProgramOfTheDocumentation compiles the program that the package
// documentation shows.
func TestProgramOfTheDocumentation(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	var program strings.Builder
	inside := false
	for line := range strings.Lines(file.Doc.Text()) {
		code, indented := strings.CutPrefix(line, "\t")
		switch {
		case strings.HasPrefix(code, "package main"):
			inside = true
		case inside && !indented && strings.TrimSpace(line) != "":
			inside = false
		}
		if inside {
			program.WriteString(code)
		}
	}
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte(program.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "vet", source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
