package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing/internal/wire"
)

func TestParseObjectRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		doc  string
		want error
	}{
		"empty":             {"", wire.ErrSyntax},
		"null":              {"null", wire.ErrType},
		"number":            {"17", wire.ErrType},
		"array":             {"[]", wire.ErrType},
		"byte order mark":   {"\ufeff{}", wire.ErrSyntax},
		"not closed":        {`{"a":1`, wire.ErrSyntax},
		"trailing comma":    {`{"a":1,}`, wire.ErrSyntax},
		"two documents":     {`{}{}`, wire.ErrSyntax},
		"leading zero":      {`{"a":01}`, wire.ErrSyntax},
		"NaN":               {`{"a":NaN}`, wire.ErrSyntax},
		"control character": {"{\"a\":\"\n\"}", wire.ErrSyntax},
		"NUL escape":        {`{"a":"\u0000"}`, wire.ErrSyntax},
		"lone high":         {`{"a":"\ud800"}`, wire.ErrSyntax},
		"lone low":          {`{"a":"\udc00x"}`, wire.ErrSyntax},
		"two highs":         {`{"a":"\ud800\ud800"}`, wire.ErrSyntax},
		"bad UTF-8":         {"{\"a\":\"\xff\"}", wire.ErrSyntax},
		"duplicate":         {`{"a":1,"b":2,"a":3}`, wire.ErrDuplicate},
		"escaped duplicate": {`{"a":1,"\u0061":3}`, wire.ErrDuplicate},
		"nested duplicate":  {`{"x":[{"a":1,"a":3}]}`, wire.ErrDuplicate},
		"depth 33":          {`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, wire.ErrTooDeep},
		"depth 1000000":     {`{"a":` + strings.Repeat("[", 1_000_000), wire.ErrTooDeep},
		"4097 values":       {`{"a":[` + strings.Repeat("1,", 4100) + `1]}`, wire.ErrTooMany},
	} {
		t.Run(name, func(t *testing.T) {
			if obj, err := wire.ParseObject([]byte(tc.doc), wire.Limits{}); !errors.Is(err, tc.want) {
				t.Errorf("got %v, %v; want %v", obj, err, tc.want)
			}
		})
	}
}

func TestParseObject(t *testing.T) {
	doc := ` {"a" : "x\u00e9\ud83d\ude00" , "A":[1,{"b":-1.5e+3}], "n":null,"":true} `
	obj, err := wire.ParseObject([]byte(doc), wire.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(obj) != 4 || string(obj.Get("A")) != `[1,{"b":-1.5e+3}]` || obj.Get("n") != nil || obj.Get("z") != nil {
		t.Errorf("got %q", obj)
	}
	var text string
	if err := json.Unmarshal(obj.Get("a"), &text); err != nil || text != "xé😀" {
		t.Errorf("got %q, %v", text, err)
	}
	if depth32 := `{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`; wire.Check([]byte(depth32), wire.Limits{}) != nil {
		t.Error("depth 32 refused")
	}
}

// What we accept, encoding/json accepts with the same meaning, so a value that
// passed the check can be decoded by it.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `[1,-0,2e9]`, `"\ud83d\ude00"`, `{"a":{"a":[null,true,false]}}`, `"` + "\xff" + `"`, `0e`, ` `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if wire.Check(doc, wire.Limits{}) != nil {
			return
		}
		if !json.Valid(doc) {
			t.Fatalf("accepted %q", doc)
		}
		obj, err := wire.ParseObject(doc, wire.Limits{})
		if bytes.TrimSpace(doc)[0] != '{' {
			if !errors.Is(err, wire.ErrType) {
				t.Fatalf("got %v for %q", err, doc)
			}
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(doc, &want); err != nil || len(want) != len(obj) {
			t.Fatalf("%q: %d members, want %d (%v)", doc, len(obj), len(want), err)
		}
		for _, m := range obj {
			if w, ok := want[m.Name]; !ok || !bytes.Equal(w, m.Value) {
				t.Fatalf("%q: member %q is %q, want %q", doc, m.Name, m.Value, w)
			}
		}
	})
}
