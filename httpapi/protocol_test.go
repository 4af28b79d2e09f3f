package httpapi_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// example is a JSON text of doc/protocol.md, with what the page says of it to
// this test: "schema: Name", "command", or nothing.
type example struct {
	line int
	mark string
	text string
}

var exampleBlock = regexp.MustCompile("(?ms)(?:^<!-- ([^\n]*) -->\n)?^```json\n(.*?)^```")

func protocolExamples(t *testing.T) []example {
	t.Helper()
	page, err := os.ReadFile("../doc/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	var list []example
	for _, at := range exampleBlock.FindAllSubmatchIndex(page, -1) {
		e := example{line: 1 + strings.Count(string(page[:at[4]]), "\n"), text: string(page[at[4]:at[5]])}
		if at[2] >= 0 {
			e.mark = string(page[at[2]:at[3]])
		}
		list = append(list, e)
	}
	if len(list) < 20 {
		t.Fatalf("only %d examples were found", len(list))
	}
	return list
}

// The examples of the wire contract have the members and types that the answers
// have: both are held against the same description. Examples may leave members
// out, but none of them may have one that no answer has.
func TestExamplesOfTheProtocol(t *testing.T) {
	w := newWorld(t, unlimited())
	schemas := w.spec.doc["components"].(object)["schemas"].(object)
	for _, e := range protocolExamples(t) {
		var v any
		if err := json.Unmarshal([]byte(e.text), &v); err != nil {
			t.Errorf("line %d: %v", e.line, err)
			continue
		}
		name, ok := strings.CutPrefix(e.mark, "schema: ")
		if !ok {
			continue
		}
		schema, _ := schemas[name].(object)
		if schema == nil {
			t.Errorf("line %d: there is no schema %s", e.line, name)
			continue
		}
		if err := w.spec.partly().match(schema, v, "$"); err != nil {
			t.Errorf("line %d: %v", e.line, err)
		}
	}
}

// A member that is not there in reality is noticed.
func TestWrongExamplesAreFound(t *testing.T) {
	w := newWorld(t, unlimited())
	schema := w.spec.doc["components"].(object)["schemas"].(object)["UserEvent"].(object)
	for _, text := range []string{
		`{"eventType":"call_exploded"}`, `{"evenType":"call_state"}`, `{"legs":[{"client":"x"}]}`, `{"epoch":"7"}`, `{"time":"yesterday"}`,
	} {
		if err := w.spec.partly().validate(schema, []byte(text)); err == nil {
			t.Errorf("%s passes", text)
		}
	}
	if err := w.spec.validate(schema, []byte(`{"eventType":"call_state"}`)); err == nil {
		t.Error("a real event that lacks nearly everything passes")
	}
}

// The commands of the examples are sent to a real server: their names and
// arguments are understood, whatever the present state makes of them.
func TestCommandsOfTheProtocol(t *testing.T) {
	w := newWorld(t, unlimited())
	sent := 0
	for i, e := range protocolExamples(t) {
		if e.mark != "command" {
			continue
		}
		var data object
		if err := json.Unmarshal([]byte(e.text), &data); err != nil {
			t.Fatalf("line %d: %v", e.line, err)
		}
		if data["provider"] == "webrtc" {
			data["provider"] = "rtc"
		}
		w.rest("mary", "DELETE", "calls/p%2Fjohn-mary", nil)
		if data["command"] != "create" {
			w.rest("mary", "POST", "calls", object{
				"id": "p/john-mary", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []string{"john"}, "start": true,
			}).wantOK(t)
			w.rest("mary", "POST", "calls/p%2Fjohn-mary/join", nil, "X-Client-Id", "m1").wantOK(t)
		}
		w.rest("mary", "POST", "calls", teamCall("g/product_team"))
		user := map[bool]string{true: "root", false: "john"}[data["command"] == "force_end"]
		if data["command"] == "create" || data["command"] == "ring_again" {
			user = "mary"
		}
		m := w.dial(user, fmt.Sprintf("doc-%d", i), "websocket").callRaw("calls", data)
		if !m.ok() {
			t.Errorf("line %d: %s", e.line, m.Data)
		}
		sent++
	}
	if sent < 8 {
		t.Errorf("only %d commands were sent", sent)
	}
}
