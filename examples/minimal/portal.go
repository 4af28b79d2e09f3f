package main

import (
	"context"
	"crypto/subtle"
	"html/template"
	"log"
	"net/http"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
)

// people is a directory without groups. Yours asks the portal's user service.
type people map[webconferencing.UserID]webconferencing.User

var users = people{
	"mary": {ID: "mary", FirstName: "Mary", LastName: "Williams"},
	"john": {ID: "john", FirstName: "John", LastName: "Smith"},
}

// User implements webconferencing.Directory.
func (p people) User(_ context.Context, id webconferencing.UserID) (*webconferencing.User, error) {
	u, ok := p[id]
	if !ok {
		return nil, webconferencing.ErrNotFound
	}
	return &u, nil
}

// Group implements webconferencing.Directory.
func (people) Group(context.Context, webconferencing.Ref) (*webconferencing.Group, error) {
	return nil, webconferencing.ErrNotFound
}

// signedIn tells who sends a request. Yours looks at the portal's session; in
// this one everybody's password is "demo".
func signedIn(r *http.Request) (webconferencing.Actor, error) {
	name, password, _ := r.BasicAuth()
	user, known := users[webconferencing.UserID(name)]
	if subtle.ConstantTimeCompare([]byte(password), []byte("demo")) != 1 || !known {
		return webconferencing.Actor{}, httpapi.ErrUnauthenticated
	}
	return webconferencing.Actor{User: user.ID}, nil
}

// page shows a button for each other person. The two script elements are all
// that a page needs.
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Minimal portal</title>
<script type="application/json" id="webconferencing">{"user": {{.Me}}}</script>
<script type="module" src="/webconferencing/index.js"></script>
<p>You are {{.Me}}.</p>
{{range .Others}}<wc-call-button user="{{.ID}}"></wc-call-button>{{end}}
`))

// home serves the page to whoever is signed in.
func home(w http.ResponseWriter, r *http.Request) {
	by, err := signedIn(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="mary or john, password demo"`)
		http.Error(w, "Please sign in.", http.StatusUnauthorized)
		return
	}
	data := struct {
		Me     webconferencing.UserID
		Others []webconferencing.User
	}{Me: by.User}
	for id, u := range users {
		if id != by.User {
			data.Others = append(data.Others, u)
		}
	}
	if err := page.Execute(w, data); err != nil {
		log.Print(err)
	}
}
