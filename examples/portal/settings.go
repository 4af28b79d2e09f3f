package main

import (
	"net/http"
	"slices"

	"github.com/webconferencing/webconferencing"
)

// What a browser remembers of its user's choices.
const (
	languageCookie = "portal_language"
	themeCookie    = "portal_theme"
	choicesAge     = 365 * 24 * 60 * 60 // seconds
)

// themes are the appearances; the first follows the system.
var themes = [...]string{"auto", "light", "dark"}

func themeFor(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && slices.Contains(themes[:], c.Value) {
		return c.Value
	}
	return themes[0]
}

// settingsForm is what the settings page shows.
type settingsForm struct {
	Languages []language
	Themes    []string
	Presences []webconferencing.Presence
	Presence  webconferencing.Presence
	Saved     bool
}

func (p *pages) settings(w http.ResponseWriter, r *http.Request, me *person) {
	form := settingsForm{
		Languages: languages[:],
		Themes:    themes[:],
		Presences: []webconferencing.Presence{webconferencing.Available, webconferencing.DoNotDisturb},
		Presence:  p.people.chosenPresence(me.ID),
		Saved:     r.URL.Query().Has("saved"),
	}
	p.render(w, r, http.StatusOK, "settings", page{Title: p.say(r, "settings"), Me: me, Body: form})
}

// saveSettings keeps language and appearance in the browser, and whether
// somebody wants to be disturbed in the directory, where calls look for it.
func (p *pages) saveSettings(w http.ResponseWriter, r *http.Request, me *person) {
	if !readForm(w, r) {
		p.fail(w, r, me, http.StatusBadRequest, "badForm")
		return
	}
	choose := func(name, value string) {
		http.SetCookie(w, &http.Cookie{
			Name: name, Value: value, Path: "/", MaxAge: choicesAge,
			HttpOnly: true, Secure: p.auth.secure(r), SameSite: http.SameSiteLaxMode,
		})
	}
	if l := languageOf(r.PostFormValue("language")); l != nil {
		choose(languageCookie, l.Tag)
	}
	if theme := r.PostFormValue("theme"); slices.Contains(themes[:], theme) {
		choose(themeCookie, theme)
	}
	switch presence := webconferencing.Presence(r.PostFormValue("presence")); presence {
	case webconferencing.Available, webconferencing.DoNotDisturb:
		p.people.choosePresence(me.ID, presence)
	}
	http.Redirect(w, r, "/portal/settings?saved", http.StatusSeeOther)
}
