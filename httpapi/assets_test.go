package httpapi_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing/httpapi/webclient"
)

func TestClientAssets(t *testing.T) {
	w := newWorld(t, nil)
	err := fs.WalkDir(webclient.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		a := w.send("", "GET", "/webconferencing/"+name, nil)
		want, err := fs.ReadFile(webclient.Files, name)
		if err != nil {
			return err
		}
		if a.StatusCode != 200 || string(a.raw) != string(want) {
			t.Errorf("%s: %d, %d bytes of %d", name, a.StatusCode, len(a.raw), len(want))
		}
		if strings.HasSuffix(name, ".js") && a.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("%s has type %q", name, a.Header.Get("Content-Type"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	a := w.send("", "GET", "/webconferencing/connector/rtc/main.js", nil)
	etag := a.Header.Get("ETag")
	if string(a.raw) != "export default 1;\n" || a.Header.Get("X-Content-Type-Options") != "nosniff" ||
		a.Header.Get("Cache-Control") != "no-cache" || etag == "" {
		t.Errorf("got %s %v", a, a.Header)
	}
	for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
		if a := w.send("", "GET", "/webconferencing/connector/rtc/main.js", nil, "If-None-Match", match); a.StatusCode != 304 || len(a.raw) != 0 {
			t.Errorf("If-None-Match %s: %s", match, a)
		}
	}
	if a := w.send("", "GET", "/webconferencing/connector/rtc/main.js", nil, "If-None-Match", `"other"`); a.StatusCode != 200 {
		t.Errorf("got %s", a)
	}
	if a := w.send("", "HEAD", "/webconferencing/connector/rtc/main.js", nil); a.StatusCode != 200 || a.Header.Get("Content-Length") != "18" {
		t.Errorf("got %s %v", a, a.Header)
	}
	if a := w.send("", "GET", "/webconferencing/connector/rtc/x.unknown", nil); a.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("got %v", a.Header)
	}
	a = w.send("mary", "POST", "/webconferencing/connector/rtc/main.js", nil)
	a.wantError(t, 405, "CLIENT_ERROR")
	if a.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("got %v", a.Header)
	}
}

func TestAssetTraversal(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{
		"..%2fwebclient.go", "%2e%2e/%2e%2e/etc/passwd", "..%5c..%5cwindows", "a/%00", "connector/rtc/..%2f..%2findex.js", "connector/rtc/",
		"connector/rtc", "connector//main.js", "connector/nothing/main.js", "connector/rtc/lib", "%2f%2fetc%2fpasswd", "", "assets/index.js", "connector/rtc/%2e/main.js",
	} {
		a := w.send("", "GET", "/webconferencing/"+path, nil)
		if a.StatusCode == 307 || a.StatusCode == 301 {
			continue // the host's mux cleans the path first
		}
		if a.StatusCode != 404 {
			t.Errorf("%s: %s", path, a)
		}
	}
}

// Every text that the client shows by key exists in every language, with the
// same placeholders.
func TestMessages(t *testing.T) {
	files, err := filepath.Glob("messages/*.json")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	texts := map[string]map[string]string{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(f, err)
		}
		texts[f] = m
	}
	source, err := fs.ReadFile(webclient.Files, "messages.js")
	if err != nil {
		t.Fatal(err)
	}
	english := texts["messages/en.json"]
	for _, m := range regexp.MustCompile(`(?m)^\t("webconferencing\.[^"]+"): ("(?:[^"\\]|\\.)*"),`).FindAllSubmatch(source, -1) {
		var key, text string
		if json.Unmarshal(m[1], &key) != nil || json.Unmarshal(m[2], &text) != nil {
			t.Fatalf("can't read %s", m[0])
		}
		if english[key] != text {
			t.Errorf("%s is %q here and %q in the client", key, english[key], text)
		}
	}
	// A language has its own plural forms, and its own order of words. Which
	// forms it needs is checked where Intl is, in the client's tests.
	placeholder := regexp.MustCompile(`\{\w+\}`)
	named := func(text string) []string {
		found := placeholder.FindAllString(text, -1)
		slices.Sort(found)
		return found
	}
	subjects := func(m map[string]string) []string {
		set := map[string]bool{}
		for key := range m {
			subject, form, plural := strings.Cut(key, "#")
			if plural && !slices.Contains([]string{"zero", "one", "two", "few", "many", "other"}, form) {
				t.Errorf("%s: there is no plural form %s", key, form)
			}
			set[subject] = true
		}
		return slices.Sorted(maps.Keys(set))
	}
	for name, m := range texts {
		if got, want := subjects(m), subjects(english); !slices.Equal(got, want) {
			t.Errorf("%s has keys %q, want %q", name, got, want)
		}
		for key, text := range m {
			subject, _, plural := strings.Cut(key, "#")
			want := named(english[key])
			if plural {
				want = named(english[subject+"#other"])
			}
			if got := named(text); !slices.Equal(got, want) {
				t.Errorf("%s: %s has %q, want %q", name, key, got, want)
			}
		}
	}
}

func TestContextLanguage(t *testing.T) {
	w := newWorld(t, unlimited())
	for _, tc := range []struct{ query, accept, want string }{
		{"", "", "en"}, {"lang=fr", "", "fr"}, {"lang=de_AT", "fr", "de"}, {"", "de-CH,fr;q=0.5", "de"}, {"lang=xx", "fr", "en"}, {"", "fr;q=0.9", "fr"},
	} {
		a := w.rest("mary", "GET", "context?"+tc.query, nil, "Accept-Language", tc.accept)
		if a.body["lang"] != tc.want {
			t.Errorf("%+v: %v", tc, a.body["lang"])
		}
	}
}
