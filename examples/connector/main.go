// Command connector is a portal with a connector of its own, the result of the
// guide doc/connectors.md. The people are Mary and John; their password is
// "demo".
package main

import (
	"context"
	"html/template"
	"log"
	"net/http"
	"strings"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/httpapi"
	"github.com/webconferencing/webconferencing/store/memstore"
)

const addr = "127.0.0.1:8080"

// people is the directory; yours asks the portal's user service.
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

// signedIn tells who sends a request; yours looks at the portal's session.
func signedIn(r *http.Request) (webconferencing.Actor, error) {
	name, password, _ := r.BasicAuth()
	user, known := users[webconferencing.UserID(name)]
	if !known || password != "demo" {
		return webconferencing.Actor{}, httpapi.ErrUnauthenticated
	}
	return webconferencing.Actor{User: user.ID, Admin: user.ID == "mary"}, nil
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Portal</title>
<script type="application/json" id="webconferencing">{"user": {{.Me}}}</script>
<script type="module" src="/webconferencing/index.js"></script>
<p>You are {{.Me}}.</p>
{{range .Others}}<wc-call-button user="{{.ID}}"></wc-call-button>{{end}}
`))

func main() {
	provider, err := newProvider()
	if err != nil {
		log.Fatal(err)
	}
	svc, err := webconferencing.New(memstore.New(), users, &webconferencing.Options{
		Providers: []webconferencing.Provider{provider},
	})
	if err != nil {
		log.Fatal(err)
	}
	api, err := httpapi.New(svc, httpapi.AuthenticatorFunc(signedIn), nil)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/portal/rest/webconferencing/", http.StripPrefix("/portal/rest/webconferencing", api.REST()))
	mux.Handle("/portal/rest/state/status/", http.StripPrefix("/portal/rest/state/status", api.UserStatus()))
	mux.Handle("/cometd/", api.Bayeux())
	mux.Handle("/webconferencing/", http.StripPrefix("/webconferencing", api.Client()))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { home(w, r, svc) })

	go func() { log.Fatal(svc.Run(context.Background())) }()
	go func() { log.Fatal(api.Run(context.Background())) }()
	log.Print("portal on http://" + addr)
	log.Fatal(http.ListenAndServe(addr, mux))
}

// home is a page with a button for each other person. It allows no more than
// itself and what the providers say that they need.
func home(w http.ResponseWriter, r *http.Request, svc *webconferencing.Service) {
	me, err := signedIn(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="mary or john, password demo"`)
		http.Error(w, "Please sign in.", http.StatusUnauthorized)
		return
	}
	policy, err := svc.Providers().ClientPolicy(r.Context())
	if err != nil {
		http.Error(w, "Please try again.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'self'; connect-src 'self' ws://"+r.Host+
		"; frame-src 'self' "+strings.Join(policy.Sources["frame-src"], " "))
	data := struct {
		Me     webconferencing.UserID
		Others []webconferencing.User
	}{Me: me.User}
	for _, u := range users {
		if u.ID != me.User {
			data.Others = append(data.Others, u)
		}
	}
	_ = page.Execute(w, data) // the client is gone
}
