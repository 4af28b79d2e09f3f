package config_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/config"
)

func env(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

func TestExpand(t *testing.T) {
	v := config.New(map[string]string{
		"host": "meet.example", "url": "https://${host}/${room:lobby}", "empty": "", "which": "host", "a": "${b}", "b": "${a}",
		"jitsi.app-id": "from the file",
	}, env(map[string]string{"HOME_HOST": "home.example", "JITSI_APP_ID": "from the environment", "JITSI_KEY": "k"}))
	for text, want := range map[string]string{
		"":                                 "",
		"plain $ { } text":                 "plain $ { } text",
		"${host}":                          "meet.example",
		"<${url}>":                         "<https://meet.example/lobby>",
		"${nothing:}":                      "",
		"${nothing:a:b}":                   "a:b",
		"${nothing:${host}}":               "meet.example",
		"${nothing:${other:${host}}}/x":    "meet.example/x",
		"${${which}}":                      "meet.example",
		"${empty:default}":                 "default",
		"${empty}":                         "",
		"${HOME_HOST}":                     "home.example",
		"${home.host}":                     "home.example",
		"${jitsi.app-id}":                  "from the file",
		"${jitsi.key}":                     "k",
		"$${host}":                         "${host}",
		"${nothing:http://${host}:8080/x}": "http://meet.example:8080/x",
	} {
		if got, err := v.Expand(text); err != nil || got != want {
			t.Errorf("%q became %q, %v, want %q", text, got, err, want)
		}
	}
	for text, word := range map[string]string{
		"${nothing}": "nothing", "${host": "closed", "${}": "no name", "${a}": "itself", "${nothing:${other}}": "other",
		strings.Repeat("${x:", 40) + strings.Repeat("}", 40): "deeply",
	} {
		if got, err := v.Expand(text); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q became %q, %v, want an error about %s", text, got, err, word)
		}
	}
}

func TestExpansionIsBounded(t *testing.T) {
	values := map[string]string{"v0": strings.Repeat("x", 1000)}
	for i := 1; i < 12; i++ {
		values[fmt.Sprintf("v%d", i)] = strings.Repeat(fmt.Sprintf("${v%d}", i-1), 10)
	}
	if _, err := config.New(values, env(nil)).Expand("${v11}"); err == nil {
		t.Error("a value may grow without end")
	}
}

func TestProperties(t *testing.T) {
	got, err := config.ParseProperties(strings.NewReader("\ufeff# comment\n! another\n\na=1\n b : 2\nc 3\nd\\ e\\=f = g = h\nlong = one,\\\n    two\\\\\n" +
		"uni=\\u00e9\\t|\nempty=\nbare\na=last\nü=ö\nurl=https\\://x/\\#\n"))
	want := map[string]string{
		"a": "last", "b": "2", "c": "3", "d e=f": "g = h", "long": "one,two\\", "uni": "é\t|", "empty": "", "bare": "", "ü": "ö", "url": "https://x/#",
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("read %q, %v", got, err)
	}
	for text, word := range map[string]string{"a=1\nb=\\u12": "line 2", "a=\xff": "UTF-8", "a=" + strings.Repeat("x", 2<<20): "too long"} {
		if _, err := config.ParseProperties(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%.20q: %v, want an error about %s", text, err, word)
		}
	}
}

type options struct {
	URL    string        `config:"url,required"`
	Secret string        `config:"secret,required"`
	Size   int           `config:"size"`
	Small  uint8         `config:"small"`
	Share  float64       `config:"share"`
	Wait   time.Duration `config:"wait"`
	Names  []string      `config:"names"`
	Active bool          `config:"active"`
	Other  string
}

func TestFill(t *testing.T) {
	v := config.New(map[string]string{
		"x.url": "https://${HOST:meet.example}", "x.secret": "${KEY}", "x.size": " 7 ", "x.small": "255", "x.share": "0.5", "x.wait": "90",
		"x.names": "a, b,,c", "x.active": "Yes",
	}, env(map[string]string{"KEY": "hush"}))
	o := options{Size: 3, Other: "kept"}
	if err := v.Fill("x.", &o); err != nil {
		t.Fatal(err)
	}
	if o.URL != "https://meet.example" || o.Secret != "hush" || o.Size != 7 || o.Small != 255 || o.Share != 0.5 ||
		o.Wait != 90*time.Second || !slices.Equal(o.Names, []string{"a", "b", "c"}) || !o.Active || o.Other != "kept" {
		t.Errorf("filled %+v", o)
	}
	again := options{Size: 3}
	if err := config.New(map[string]string{"url": "u", "secret": "s", "size": "", "wait": "1m30s"}, env(nil)).Fill("", &again); err != nil || again.Size != 3 || again.Wait != 90*time.Second {
		t.Errorf("filled %+v, %v", again, err)
	}
}

func TestFillNamesAllFaults(t *testing.T) {
	v := config.New(map[string]string{
		"x.url": " ", "x.size": "hush", "x.small": "256", "x.share": "hush", "x.wait": "hush", "x.active": "hush", "x.names": "${gone}",
	}, env(nil))
	o := options{Size: 3}
	err := v.Fill("x.", &o)
	for _, want := range []string{"x.url is empty", "x.secret is missing", "x.size", "x.small", "x.share", "x.wait", "x.active", "x.names", "gone is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("%v shows a value", err)
	}
	if o.Size != 3 || o.URL != "" {
		t.Errorf("half filled: %+v", o)
	}
	if err := v.Fill("", o); err == nil {
		t.Error("a struct that can't be changed was taken")
	}
}

func TestFilesAndMaps(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.properties")
	if err := os.WriteFile(name, []byte("p.a=1\np.b=${p.a}2\nq=3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := config.ReadFile(name, env(nil))
	if err != nil {
		t.Fatal(err)
	}
	m, err := v.Map("p.")
	if err != nil || !maps.Equal(m, map[string]string{"a": "1", "b": "12"}) {
		t.Errorf("map is %v, %v", m, err)
	}
	if _, err := v.Required("none"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("error is %v", err)
	}
	if _, err := config.ReadFile(name+"x", nil); err == nil {
		t.Error("a file that is not there was read")
	}
}

func FuzzProperties(f *testing.F) {
	f.Add("a=${b:${c}}\n")
	f.Add("\\u0041 = $${x}\\\n")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := config.Read(strings.NewReader(text), env(nil))
		if err != nil {
			return
		}
		for _, key := range v.Keys("") {
			_, _, _ = v.Lookup(key)
		}
	})
}

func Example() {
	v, err := config.Read(strings.NewReader("calls.url=https://${CALLS_HOST:meet.example.org}/\ncalls.wait=30s\n"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	var o struct {
		URL  string        `config:"url,required"`
		Wait time.Duration `config:"wait"`
	}
	if err := v.Fill("calls.", &o); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(o.URL, o.Wait)
	// Output: https://meet.example.org/ 30s
}
