package main

import (
	"net/http"

	"github.com/webconferencing/webconferencing"
)

// admin is the administration: the list of providers, which works without
// scripts, and around it the elements of the library, which can do more.
func (p *pages) admin(w http.ResponseWriter, r *http.Request, me *person) {
	configs, err := p.svc.Providers().Configs(r.Context(), languageFor(r).Tag)
	if err != nil {
		p.failInternally(w, r, me, err)
		return
	}
	body := struct {
		Providers []webconferencing.ProviderConfig
		Groups    []group
	}{configs, p.people.groups}
	p.render(w, r, http.StatusOK, "admin", page{Title: p.say(r, "administration"), Me: me, Body: body})
}

func (p *pages) switchProvider(w http.ResponseWriter, r *http.Request, me *person) {
	if !readForm(w, r) {
		p.fail(w, r, me, http.StatusBadRequest, "badForm")
		return
	}
	active := r.PostFormValue("active") == "true"
	_, err := p.svc.Providers().SetActive(r.Context(), actor(me), r.PathValue("type"), active)
	switch webconferencing.CodeOf(err) {
	case "":
		http.Redirect(w, r, "/portal/admin", http.StatusSeeOther)
	case webconferencing.CodeNotFound:
		p.fail(w, r, me, http.StatusNotFound, "noProvider")
	default:
		p.failInternally(w, r, me, err)
	}
}
