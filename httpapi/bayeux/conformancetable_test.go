package bayeux_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestConformanceTable checks that CONFORMANCE.md has every item and every
// threat, and that the tests that it names exist: those of this folder, and
// after "Chromium:" those of clients in a browser.
func TestConformanceTable(t *testing.T) {
	text, err := os.ReadFile("CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	sources, pages := readFiles(t, "*_test.go"), readFiles(t, "interop/*.browser.test.js")
	seen := make(map[string]bool)
	row := regexp.MustCompile(`^\| (T?)(\d+)\^?(?:–T?(\d+))?\^? \| .+ \| (.+) \|$`)
	quoted := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(string(text)) {
		m := row.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		first, _ := strconv.Atoi(m[2])
		end := first
		if m[3] != "" {
			end, _ = strconv.Atoi(m[3])
		}
		for n := first; n <= end; n++ {
			key := fmt.Sprint(m[1], n)
			if seen[key] {
				t.Errorf("%s is there twice", key)
			}
			seen[key] = true
		}
		here, browser, _ := strings.Cut(m[4], "Chromium:")
		names := quoted.FindAllStringSubmatch(here, -1)
		if names == nil {
			t.Errorf("no test in %s", line)
		}
		for _, name := range names {
			if !strings.Contains(sources, `"`+name[1]) && !strings.Contains(sources, "func "+name[1]+"(") {
				t.Errorf("there is no test %q", name[1])
			}
		}
		for _, name := range quoted.FindAllStringSubmatch(browser, -1) {
			if !strings.Contains(pages, "test('"+name[1]+"'") && !strings.Contains(pages, "test(`"+name[1]+" ${") {
				t.Errorf("there is no test %q in Chromium", name[1])
			}
		}
	}
	const items, threats = 187, 35
	for n := 1; n <= items; n++ {
		if !seen[strconv.Itoa(n)] {
			t.Errorf("item %d is missing", n)
		}
	}
	for n := 1; n <= threats; n++ {
		if !seen[fmt.Sprint("T", n)] {
			t.Errorf("threat T%d is missing", n)
		}
	}
}

// readFiles returns the text of all files that match a pattern.
func readFiles(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
