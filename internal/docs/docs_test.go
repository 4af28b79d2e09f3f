// Package docs checks that the pages of this repository point to things that
// exist. It has tests only.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)|\b(?:src|href|srcset)="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// pages returns the Markdown files of the repository, by path from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "node_modules" || name == "testdata" || name != ".." && strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		path, err = filepath.Rel(root, path)
		found[path] = fence.ReplaceAllString(string(text), "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// anchors returns the names under which the headings of a page can be reached.
func anchors(text string) []string {
	var names []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// broken returns the links of a page that lead nowhere.
func broken(path, text string, all map[string]string) []string {
	var wrong []string
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		target := m[1] + m[2]
		if strings.Contains(target, "://") {
			continue
		}
		file, anchor, _ := strings.Cut(target, "#")
		to := path
		if file != "" {
			to = filepath.Join(filepath.Dir(path), filepath.FromSlash(file))
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				wrong = append(wrong, target)
				continue
			}
		}
		if anchor != "" && !slices.Contains(anchors(all[to]), anchor) {
			wrong = append(wrong, target)
		}
	}
	return wrong
}

func TestLinks(t *testing.T) {
	all := pages(t)
	for path, text := range all {
		for _, target := range broken(path, text, all) {
			t.Errorf("%s: %s leads nowhere", path, target)
		}
	}
	for _, path := range []string{"README.md", "CHANGELOG.md", filepath.Join("doc", "protocol.md")} {
		if all[path] == "" {
			t.Errorf("%s was not found", path)
		}
	}
}

func TestBrokenLinksAreFound(t *testing.T) {
	text := "# A b\n[1](#a-b) [2](LICENSE) [3](#c) [4](nothing.md) <img src=\"no.png\"> [5](https://example.com/x)"
	got := broken("page.md", text, map[string]string{"page.md": text})
	if want := []string{"#c", "nothing.md", "no.png"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
