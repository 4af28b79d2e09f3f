package main

import (
	"context"
	"html/template"
	"net/http"
	"strings"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
)

// directory is three people, one of them an administrator, and one space.
type directory map[webconferencing.UserID]webconferencing.User

var people = directory{
	"mary":  {ID: "mary", FirstName: "Mary", LastName: "Williams"},
	"john":  {ID: "john", FirstName: "John", LastName: "Smith"},
	"james": {ID: "james", FirstName: "James", LastName: "<b>O'Hara</b> & Sons"},
	"root":  {ID: "root", FirstName: "Root", LastName: "Admin"},
}

// User implements webconferencing.Directory.
func (d directory) User(_ context.Context, id webconferencing.UserID) (*webconferencing.User, error) {
	u, ok := d[id]
	if !ok {
		return nil, webconferencing.ErrNotFound
	}
	return &u, nil
}

// Group implements webconferencing.Directory.
func (directory) Group(_ context.Context, ref webconferencing.Ref) (*webconferencing.Group, error) {
	if ref.ID != "team" {
		return nil, webconferencing.ErrNotFound
	}
	return &webconferencing.Group{Ref: ref, Title: "Product Team", GroupID: "/spaces/team", Members: []webconferencing.UserID{"mary", "john", "james"}}, nil
}

const cookie = "user"

// login signs in whoever is named: a demo has no passwords.
func login(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: r.PathValue("user"), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func signedIn(r *http.Request) (webconferencing.Actor, error) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return webconferencing.Actor{}, httpapi.ErrUnauthenticated
	}
	user, known := people[webconferencing.UserID(c.Value)]
	if !known {
		return webconferencing.Actor{}, httpapi.ErrUnauthenticated
	}
	return webconferencing.Actor{User: user.ID, Admin: user.ID == "root"}, nil
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Portal with Jitsi</title>
<script type="application/json" id="webconferencing">{"user": {{.Me}}}</script>
<script type="module" src="/webconferencing/index.js"></script>
<h1>Portal with Jitsi</h1>
<p>You are {{.Me}}.</p>
{{range .Others}}<p>{{.Title}} <wc-call-button user="{{.ID}}"></wc-call-button></p>
{{end}}<p>Product Team <wc-call-button space="team"></wc-call-button></p>
</html>
`))

// home is the only page. What it allows besides itself is what the providers
// say that they need.
func (s *servers) home(w http.ResponseWriter, r *http.Request) {
	by, err := signedIn(r)
	if err != nil {
		http.Error(w, "Please sign in at /login/mary or /login/john.", http.StatusUnauthorized)
		return
	}
	policy, err := s.svc.Providers().ClientPolicy(r.Context())
	if err != nil {
		http.Error(w, "no policy", http.StatusInternalServerError)
		return
	}
	source := func(directive string) string { return " " + strings.Join(policy.Sources[directive], " ") }
	frames := strings.Join(policy.Sources["frame-src"], `" "`)
	h := w.Header()
	h.Set("Content-Security-Policy", strings.Join([]string{
		"default-src 'self'", "connect-src 'self' ws://" + r.Host, "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'",
		"script-src 'self'" + source("script-src"), "frame-src" + source("frame-src"),
		"require-trusted-types-for 'script'", "trusted-types" + source("trusted-types"),
	}, "; "))
	h.Set("Permissions-Policy", `camera=(self "`+frames+`"), microphone=(self "`+frames+`"), display-capture=(self "`+frames+`")`)
	h.Set("Content-Type", "text/html; charset=utf-8")
	data := struct {
		Me     webconferencing.UserID
		Others []webconferencing.User
	}{Me: by.User}
	for _, id := range []webconferencing.UserID{"mary", "john", "james"} {
		if id != by.User {
			data.Others = append(data.Others, people[id])
		}
	}
	_ = page.Execute(w, data) // the client is gone
}
