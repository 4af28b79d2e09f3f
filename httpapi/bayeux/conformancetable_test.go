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
// threat, and that the tests that it names exist.
func TestConformanceTable(t *testing.T) {
	text, err := os.ReadFile("CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(source)
	}
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
		names := quoted.FindAllStringSubmatch(m[4], -1)
		if names == nil {
			t.Errorf("no test in %s", line)
		}
		for _, name := range names {
			if !strings.Contains(sources.String(), `"`+name[1]) && !strings.Contains(sources.String(), "func "+name[1]+"(") {
				t.Errorf("there is no test %q", name[1])
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
