package main

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// pages renders the portal. What it needs for video calls is little: the two
// script elements in templates/layout.html, and a call button where one is
// wanted.
type pages struct {
	people *directory
	auth   *auth
	svc    *webconferencing.Service
	logger *slog.Logger
	voices map[string]*voice // by language
}

// voice is the portal in one language.
type voice struct {
	texts     texts
	templates map[string]*template.Template // by page name
}

// newPages returns the handler of all pages, with the headers that keep other
// sites out of them.
func newPages(people *directory, auth *auth, svc *webconferencing.Service, logger *slog.Logger) (http.Handler, error) {
	p := &pages{people: people, auth: auth, svc: svc, logger: logger, voices: make(map[string]*voice)}
	for _, l := range languages {
		v, err := newVoice(l.Tag)
		if err != nil {
			return nil, err
		}
		p.voices[l.Tag] = v
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /portal/static/{file}", serveStatic)
	mux.HandleFunc("GET /login", p.login)
	mux.HandleFunc("POST /login", p.signIn)
	mux.HandleFunc("POST /logout", p.signOut)
	mux.HandleFunc("GET /{$}", p.toPortal)
	mux.HandleFunc("GET /portal/{$}", p.forUsers(p.home))
	mux.HandleFunc("GET /portal/people/{id}", p.forUsers(p.person))
	mux.HandleFunc("GET /portal/spaces/{id}", p.forUsers(p.space))
	mux.HandleFunc("GET /portal/rooms/{id}", p.forUsers(p.room))
	mux.HandleFunc("GET /portal/calls", p.forUsers(p.calls))
	mux.HandleFunc("GET /portal/settings", p.forUsers(p.settings))
	mux.HandleFunc("POST /portal/settings", p.forUsers(p.saveSettings))
	mux.HandleFunc("GET /portal/avatars/{file}", p.forUsers(p.avatar))
	mux.HandleFunc("GET /portal/admin", p.forAdmins(p.admin))
	mux.HandleFunc("POST /portal/admin/providers/{type}", p.forAdmins(p.switchProvider))
	mux.HandleFunc("/", p.notFound)
	return p.secureHeaders(http.NewCrossOriginProtection().Handler(mux)), nil
}

// newVoice reads the templates with the words of a language.
func newVoice(tag string) (*voice, error) {
	words, err := loadTexts(tag)
	if err != nil {
		return nil, err
	}
	v := &voice{texts: words, templates: make(map[string]*template.Template)}
	for _, name := range []string{"login", "home", "person", "group", "calls", "settings", "admin", "error"} {
		t, err := template.New("layout.html").
			Funcs(template.FuncMap{"avatar": avatarPath, "say": words.say}).
			ParseFS(templateFiles, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, err
		}
		v.templates[name] = t
	}
	return v, nil
}

// say returns words in the language of a request.
func (p *pages) say(r *http.Request, key string) string {
	return p.voices[languageFor(r).Tag].texts.say(key)
}

// page is what every template is given.
type page struct {
	Title    string
	Me       *person // who is signed in, or nil
	Path     string  // of the page, to mark it in the navigation
	Language language
	Theme    string // "auto", "light" or "dark"
	Calls    bool   // whether calls are switched on
	Body     any    // what the page itself shows
}

// pageHandler is a handler that knows who is signed in.
type pageHandler func(w http.ResponseWriter, r *http.Request, me *person)

// forUsers sends whoever is not signed in to the sign-in page.
func (p *pages) forUsers(next pageHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		me := p.auth.signedIn(r)
		if me == nil {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		next(w, r, me)
	}
}

// forAdmins refuses everybody who is not an administrator.
func (p *pages) forAdmins(next pageHandler) http.HandlerFunc {
	return p.forUsers(func(w http.ResponseWriter, r *http.Request, me *person) {
		if !me.Admin {
			p.fail(w, r, me, http.StatusForbidden, "adminsOnly")
			return
		}
		next(w, r, me)
	})
}

func serveStatic(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, staticFiles, "static/"+r.PathValue("file"))
}

func (p *pages) toPortal(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/portal/", http.StatusSeeOther)
}

func (p *pages) notFound(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, p.auth.signedIn(r), http.StatusNotFound, "nothingHere")
}

// loginForm is what the sign-in page shows.
type loginForm struct {
	Username string
	Fault    string
	People   []person
}

func (p *pages) login(w http.ResponseWriter, r *http.Request) {
	if p.auth.signedIn(r) != nil {
		p.toPortal(w, r)
		return
	}
	p.render(w, r, http.StatusOK, "login", page{Title: p.say(r, "signIn"), Body: loginForm{People: p.people.people}})
}

func (p *pages) signIn(w http.ResponseWriter, r *http.Request) {
	if !readForm(w, r) {
		p.fail(w, r, nil, http.StatusBadRequest, "badForm")
		return
	}
	username := r.PostFormValue("username")
	again := func(status int, fault string) {
		form := loginForm{Username: username, Fault: fault, People: p.people.people}
		p.render(w, r, status, "login", page{Title: p.say(r, "signIn"), Body: form})
	}
	key := p.auth.attemptKey(username, r)
	if !p.auth.attempts.begin(key) {
		w.Header().Set("Retry-After", fmt.Sprint(int(attemptsWindow/time.Second)))
		again(http.StatusTooManyRequests, p.say(r, "tooMany"))
		return
	}
	who := p.auth.check(username, r.PostFormValue("password"))
	if who == nil {
		again(http.StatusUnauthorized, p.say(r, "wrongPassword"))
		return
	}
	p.auth.attempts.succeed(key)
	p.auth.signIn(w, r, who)
	p.toPortal(w, r)
}

func (p *pages) signOut(w http.ResponseWriter, r *http.Request) {
	p.auth.signOut(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// card is a person as a list shows it.
type card struct {
	*person
	Presence webconferencing.Presence
}

func (p *pages) card(ctx context.Context, who *person) card {
	presence, err := p.people.Presence(ctx, webconferencing.UserID(who.ID))
	if err != nil {
		presence = webconferencing.Offline
	}
	return card{who, presence}
}

func (p *pages) home(w http.ResponseWriter, r *http.Request, me *person) {
	var body struct {
		People        []card
		Spaces, Rooms []*group
	}
	for i := range p.people.people {
		if who := &p.people.people[i]; who.ID != me.ID {
			body.People = append(body.People, p.card(r.Context(), who))
		}
	}
	body.Spaces = p.people.groupsOf(webconferencing.OwnerSpace, me.ID)
	body.Rooms = p.people.groupsOf(webconferencing.OwnerChatRoom, me.ID)
	p.render(w, r, http.StatusOK, "home", page{Title: p.say(r, "people"), Me: me, Body: body})
}

func (p *pages) person(w http.ResponseWriter, r *http.Request, me *person) {
	who := p.people.person(r.PathValue("id"))
	if who == nil {
		p.fail(w, r, me, http.StatusNotFound, "nobody")
		return
	}
	p.render(w, r, http.StatusOK, "person", page{Title: who.Name(), Me: me, Body: p.card(r.Context(), who)})
}

func (p *pages) space(w http.ResponseWriter, r *http.Request, me *person) {
	p.group(w, r, me, webconferencing.OwnerSpace)
}

func (p *pages) room(w http.ResponseWriter, r *http.Request, me *person) {
	p.group(w, r, me, webconferencing.OwnerChatRoom)
}

func (p *pages) group(w http.ResponseWriter, r *http.Request, me *person, kind webconferencing.OwnerType) {
	g := p.people.group(kind, r.PathValue("id"))
	switch {
	case g == nil:
		p.fail(w, r, me, http.StatusNotFound, "noGroup")
		return
	case !slices.Contains(g.Members, me.ID):
		p.fail(w, r, me, http.StatusForbidden, "membersOnly")
		return
	}
	body := struct {
		*group
		People  []card
		Manages bool
	}{group: g, Manages: me.Admin || g.Manager == me.ID}
	for _, id := range g.Members {
		if who := p.people.person(id); who != nil {
			body.People = append(body.People, p.card(r.Context(), who))
		}
	}
	p.render(w, r, http.StatusOK, "group", page{Title: g.Title, Me: me, Body: body})
}

// calls is the history; the element on the page asks the library for it.
func (p *pages) calls(w http.ResponseWriter, r *http.Request, me *person) {
	p.render(w, r, http.StatusOK, "calls", page{Title: p.say(r, "calls"), Me: me})
}

// callsOn tells whether any provider of calls is switched on.
func (p *pages) callsOn(ctx context.Context) bool {
	configs, err := p.svc.Providers().Configs(ctx, "en")
	if err != nil {
		p.logger.WarnContext(ctx, "can't read the providers' configuration", "err", err)
		return false
	}
	return slices.ContainsFunc(configs, func(c webconferencing.ProviderConfig) bool { return c.Active })
}

func (p *pages) failInternally(w http.ResponseWriter, r *http.Request, me *person, err error) {
	p.logger.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "err", err)
	p.fail(w, r, me, http.StatusInternalServerError, "wentWrong")
}

// fail shows what went wrong; key names the words.
func (p *pages) fail(w http.ResponseWriter, r *http.Request, me *person, status int, key string) {
	p.render(w, r, status, "error", page{Title: http.StatusText(status), Me: me, Body: p.say(r, key)})
}

// render writes a page. Everything in it is escaped by html/template.
func (p *pages) render(w http.ResponseWriter, r *http.Request, status int, name string, data page) {
	data.Path, data.Language, data.Theme = r.URL.Path, languageFor(r), themeFor(r)
	data.Calls = data.Me != nil && p.callsOn(r.Context())
	var b strings.Builder
	if err := p.voices[data.Language.Tag].templates[name].Execute(&b, data); err != nil {
		p.logger.ErrorContext(r.Context(), "template failed", "page", name, "err", err)
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, b.String())
}

// readForm reads a small form from a client that may be slow on purpose.
func readForm(w http.ResponseWriter, r *http.Request) bool {
	err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Second))
	if err != nil {
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	return r.ParseForm() == nil
}
