package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
)

func TestLanguages(t *testing.T) {
	for _, l := range languages {
		words, err := loadTexts(l.Tag)
		if err != nil {
			t.Error(err)
		}
		if got := words.say("memberCount", 7); !strings.Contains(got, "7") {
			t.Errorf("%s: %q lacks the number", l.Tag, got)
		}
	}
	if _, err := loadTexts("xx"); err == nil {
		t.Error("a language that does not exist was loaded")
	}
}

func TestLanguageFor(t *testing.T) {
	for _, tt := range []struct{ cookie, accept, want string }{
		{"", "", "en"},
		{"", "fr-CA,fr;q=0.9,en;q=0.8", "fr"},
		{"", "ja, DE;q=0.5", "de"},
		{"", "ja", "en"},
		{"ar", "fr", "ar"},
		{"../../x", "fr", "fr"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("Accept-Language", tt.accept)
		r.AddCookie(&http.Cookie{Name: languageCookie, Value: tt.cookie})
		if got := languageFor(r).Tag; got != tt.want {
			t.Errorf("cookie %q, header %q: %s, want %s", tt.cookie, tt.accept, got, tt.want)
		}
	}
}

func TestSettingsAreKept(t *testing.T) {
	portal := startPortal(t)
	mary, john := signIn(t, portal, "mary"), signIn(t, portal, "john")
	save := func(form url.Values) {
		t.Helper()
		res, _ := do(t, mary, "POST", portal.URL+"/portal/settings", form)
		if res.StatusCode != http.StatusSeeOther {
			t.Fatalf("%v: %s", form, res.Status)
		}
	}
	save(url.Values{"language": {"ar"}, "theme": {"dark"}, "presence": {"donotdisturb"}})
	_, body := do(t, mary, "GET", portal.URL+"/portal/", nil)
	if !strings.Contains(body, `<html lang="ar" dir="rtl" data-theme="dark">`) {
		t.Errorf("the page begins %.60q", body)
	}
	if _, body := do(t, john, "GET", portal.URL+"/portal/people/mary", nil); !strings.Contains(body, "do not disturb") || !strings.Contains(body, `lang="en"`) {
		t.Error("john does not see, in English, that mary does not want to be disturbed")
	}
	// What is no choice changes nothing.
	save(url.Values{"language": {"xx"}, "theme": {`"><script>`}, "presence": {"king"}})
	_, body = do(t, mary, "GET", portal.URL+"/portal/settings", nil)
	if !strings.Contains(body, `<html lang="ar" dir="rtl" data-theme="dark">`) || !strings.Contains(body, `value="donotdisturb" checked`) {
		t.Error("a choice that does not exist changed the settings")
	}
}

func TestPresenceInACall(t *testing.T) {
	people := newDirectory()
	people.noteSeen("mary")
	shows := func(want webconferencing.Presence) {
		t.Helper()
		if got, err := people.Presence(t.Context(), "mary"); got != want || err != nil {
			t.Errorf("mary is %s, %v, want %s", got, err, want)
		}
	}
	shows(webconferencing.Available)
	if err := people.ClaimPresence(t.Context(), "mary", webconferencing.InCall, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	shows(webconferencing.InCall)
	people.choosePresence("mary", webconferencing.DoNotDisturb)
	shows(webconferencing.DoNotDisturb)
	if err := people.ReleasePresence(t.Context(), "mary", webconferencing.InCall); err != nil {
		t.Fatal(err)
	}
	people.choosePresence("mary", webconferencing.Available)
	shows(webconferencing.Available)
}

func TestPoliciesOfProviders(t *testing.T) {
	needed := webconferencing.ClientPolicy{
		Sources: map[string][]string{
			"frame-src":     {"https://meet.example.org"},
			"trusted-types": {"jitsi"},
			"connect-src":   {"https://api.example.org"},
		},
		Permissions: []string{"camera", "autoplay"},
	}
	policy := strings.Split(contentPolicy("portal.example", needed.Sources), "; ")
	for _, want := range []string{
		"frame-src 'self' https://meet.example.org",
		"trusted-types jitsi",
		"connect-src 'self' ws://portal.example wss://portal.example https://api.example.org",
		"require-trusted-types-for 'script'",
	} {
		if !slices.Contains(policy, want) {
			t.Errorf("%q lacks %q", policy, want)
		}
	}
	got := permissionsPolicy(needed)
	for _, want := range []string{`camera=(self "https://meet.example.org")`, "microphone=(self)", `autoplay=(self "https://meet.example.org")`, "geolocation=()"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}
