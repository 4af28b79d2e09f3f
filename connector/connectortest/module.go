package connectortest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/webconferencing/webconferencing"
)

func clientModule(ctx context.Context, p webconferencing.Provider, _ *Options) error {
	q, ok := p.(webconferencing.ClientModule)
	if !ok {
		return nil
	}
	entry, files := q.ClientModule()
	if entry == "" || files == nil {
		return errors.New("ClientModule returns no entry or no files")
	}
	if !fs.ValidPath(entry) || path.Ext(entry) != ".js" && path.Ext(entry) != ".mjs" {
		return fmt.Errorf("the entry %q is not the path of a script", entry)
	}
	text, err := fs.ReadFile(files, entry)
	if err != nil {
		return fmt.Errorf("the entry: %w", err)
	}
	if !exports(text) {
		return fmt.Errorf("%s exports nothing, so it is not a module", entry)
	}
	if err := followImports(files, entry, make(map[string]bool)); err != nil {
		return err
	}
	return parses(ctx, files)
}

// exports tells whether a script exports anything.
func exports(text []byte) bool {
	return regexp.MustCompile(`(?m)^\s*export\s`).Match(text)
}

// imported finds the modules that a script imports by a constant name.
func imported(text []byte) []string {
	var names []string
	for _, m := range regexp.MustCompile(`(?m)(?:^\s*import\s*(?:[^'";=]*?\bfrom\s*)?|^\s*export\b[^'";=]*?\bfrom\s*|\bimport\(\s*)["']([^"'\n]+)["']`).FindAllSubmatch(text, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// followImports makes sure that everything a module imports from its own files
// is among them.
func followImports(files fs.FS, name string, seen map[string]bool) error {
	if seen[name] {
		return nil
	}
	seen[name] = true
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	if !utf8.Valid(text) {
		return fmt.Errorf("%s is not UTF-8", name)
	}
	for _, other := range imported(text) {
		switch {
		case strings.Contains(other, "://") || strings.HasPrefix(other, "/"):
			return fmt.Errorf("%s imports %s, which is not among the provider's files", name, other)
		case !strings.HasPrefix(other, "./") && !strings.HasPrefix(other, "../"):
			return fmt.Errorf("%s imports %s, which no browser finds", name, other)
		}
		target := path.Join(path.Dir(name), other)
		if strings.HasPrefix(target, "../") {
			continue // a file of the browser client
		}
		if err := followImports(files, target, seen); err != nil {
			return fmt.Errorf("%s imports %s: %w", name, other, err)
		}
	}
	return nil
}

// parses lets Node.js, where there is one, look at the syntax.
func parses(ctx context.Context, files fs.FS) error {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil
	}
	dir, err := os.MkdirTemp("", "connectortest")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o600); err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".js" && path.Ext(name) != ".mjs" {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return err
		}
		if out, err := exec.CommandContext(ctx, node, "--check", file).CombinedOutput(); err != nil {
			return fmt.Errorf("%s is no module: %w\n%s", name, err, out)
		}
		return nil
	})
}
