package webclient_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/webconferencing/webconferencing/httpapi/webclient"
)

func TestFilesAreTheAssets(t *testing.T) {
	onDisk, err := fs.Glob(os.DirFS("assets"), "*")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(webclient.Files, onDisk...); err != nil {
		t.Error(err)
	}
	embedded, err := fs.Glob(webclient.Files, "*")
	if err != nil {
		t.Fatal(err)
	}
	if len(embedded) != len(onDisk) {
		t.Errorf("embedded are %d files, in the folder are %d: is one not listed?", len(embedded), len(onDisk))
	}
	for _, name := range []string{"../webclient.go", "/index.js", "assets/index.js", "test/package.json"} {
		if _, err := fs.ReadFile(webclient.Files, name); err == nil {
			t.Errorf("%s can be read", name)
		}
	}
}

// Importing a file that is not embedded would fail in the browser only.
func TestImportsAreEmbedded(t *testing.T) {
	imports := regexp.MustCompile(`(?m)^(?:import|export)\s[^;]*from "\./([^"]+)"`)
	eachScript(t, func(name, text string) {
		for _, m := range imports.FindAllStringSubmatch(text, -1) {
			if _, err := fs.Stat(webclient.Files, m[1]); err != nil {
				t.Errorf("%s imports %s: %v", name, m[1], err)
			}
		}
	})
}

// Names and titles are written by strangers; they must never be parsed as HTML
// or script, and a strict content security policy must hold.
func TestScriptsHaveNoDangerousSinks(t *testing.T) {
	sinks := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\("(style|on)|DOMParser|srcdoc|createContextualFragment|javascript:`)
	eachScript(t, func(name, text string) {
		for _, found := range sinks.FindAllString(text, -1) {
			t.Errorf("%s has %s", name, found)
		}
	})
}

func eachScript(t *testing.T, check func(name, text string)) {
	t.Helper()
	names, err := fs.Glob(webclient.Files, "*.js")
	if err != nil || len(names) == 0 {
		t.Fatalf("scripts: %v, %v", names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(webclient.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		check(name, strings.ReplaceAll(string(text), "\r\n", "\n"))
	}
}
