package webconferencing_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The page on reliability promises tests and points to files; they are there.
func TestReliabilityPageTellsTheTruth(t *testing.T) {
	page, err := os.ReadFile("doc/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, dir := range []string{".", "httpapi"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(text)
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z]+|[a-z]+\\.go)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 60 {
		t.Errorf("the page names only %d tests and files", len(named))
	}
	for _, m := range named {
		if name := m[1]; strings.HasSuffix(name, ".go") {
			if _, err := os.Stat(name); err != nil {
				t.Errorf("there is no %s", name)
			}
		} else if !strings.Contains(tests.String(), "func "+name+"(") {
			t.Errorf("there is no %s", name)
		}
	}
	for _, rule := range []string{"R", "I", "C"} {
		last := map[string]int{"R": 14, "I": 9, "C": 21}[rule]
		for n := 1; n <= last; n++ {
			if !regexp.MustCompile(`(?m)^\|.*\b` + rule + strconv.Itoa(n) + `\b`).Match(page) {
				t.Errorf("the page says nothing of %s%d", rule, n)
			}
		}
	}
}
