package docs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// words returns what a pattern's group finds in a file.
func words(t *testing.T, file, pattern string) []string {
	t.Helper()
	return someWords(t, file, pattern, 5)
}

func someWords(t *testing.T, file, pattern string, least int) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		found = append(found, m[1])
	}
	if len(found) < least {
		t.Errorf("%s: only %q match %s", file, found, pattern)
	}
	return found
}

// TestProtocolIsComplete holds doc/protocol.md against the code, so that
// nothing gets onto the wire without a word on it.
func TestProtocolIsComplete(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "doc/protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	mentioned := func(what, word string) {
		if !strings.Contains(string(page), "`"+word) && !strings.Contains(string(page), " "+word+"`") {
			t.Errorf("doc/protocol.md does not mention the %s %s", what, word)
		}
	}
	commands := words(t, "httpapi/commands.go", `(?:case|name ==) "([a-z_]+)"`)
	for _, file := range []string{"httpapi/history.go", "httpapi/admin.go"} {
		commands = append(commands, someWords(t, file, `case "([a-z_]+)"`, 1)...)
	}
	for _, name := range commands {
		mentioned("command", name)
	}
	internal := []string{"call_data", "call_noted"} // not on user channels
	for _, name := range words(t, "event.go", `EventType = "(call_[a-z_]+)"`) {
		if !slices.Contains(internal, name) {
			mentioned("event", name)
		}
	}
	for _, name := range words(t, "errors.go", `Reason[A-Z]\w+ += "([a-z_]+)"`) {
		mentioned("reason", name)
	}

	for _, name := range words(t, "event.go", `Reason[A-Z]\w+ +Reason += "([a-z_]+)"`) {
		mentioned("reason of a stop", name)
	}
	for _, name := range words(t, "event.go", `Cause[A-Z]\w+ +Cause += "([a-z_]+)"`) {
		mentioned("cause", name)
	}
	for _, name := range words(t, "call.go", `Ring[A-Z]\w+ +RingState += "([a-z_]+)"`) {
		mentioned("state of a ring", name)
	}

	text, err := os.ReadFile(filepath.Join(root, "httpapi/openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	if len(api.Paths) < 5 {
		t.Errorf("openapi.json has only %d resources", len(api.Paths))
	}
	for path := range api.Paths {
		if !regexp.MustCompile(regexp.QuoteMeta(path) + "[`? ]").Match(page) {
			t.Errorf("doc/protocol.md does not mention the resource %s", path)
		}
	}
}
