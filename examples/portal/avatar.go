package main

import (
	"fmt"
	"hash/fnv"
	"html"
	"net/http"
	"strings"

	"github.com/webconferencing/webconferencing"
)

// avatar draws the initials of a person or group on a colour of its own.
func (p *pages) avatar(w http.ResponseWriter, r *http.Request, me *person) {
	id, isSVG := strings.CutSuffix(r.PathValue("file"), ".svg")
	name := p.nameOf(id)
	if !isSVG || name == "" {
		p.fail(w, r, me, http.StatusNotFound, "noPicture")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/svg+xml")
	h.Set("Content-Security-Policy", "default-src 'none'") // if somebody opens it as a document
	h.Set("Cache-Control", "private, max-age=3600")
	fmt.Fprint(w, avatarSVG(id, name))
}

// nameOf returns what a person or group is called, or "".
func (p *pages) nameOf(id string) string {
	if who := p.people.person(id); who != nil {
		return who.Name()
	}
	for _, kind := range []webconferencing.OwnerType{webconferencing.OwnerSpace, webconferencing.OwnerChatRoom} {
		if g := p.people.group(kind, id); g != nil {
			return g.Title
		}
	}
	return ""
}

func avatarSVG(id, name string) string {
	sum := fnv.New32a()
	sum.Write([]byte(id))
	hue := sum.Sum32() % 360
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96">`+
		`<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="hsl(%d,58%%,52%%)"/>`+
		`<stop offset="1" stop-color="hsl(%d,62%%,38%%)"/></linearGradient></defs>`+
		`<rect width="96" height="96" fill="url(#g)"/>`+
		`<text x="48" y="50" fill="#fff" font-family="system-ui,sans-serif" font-size="34" font-weight="600" `+
		`text-anchor="middle" dominant-baseline="central">%s</text></svg>`,
		hue, (hue+30)%360, html.EscapeString(initials(name)))
}

// initials returns the first letters of the first and last word.
func initials(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return "?"
	}
	first := []rune(words[0])[:1]
	if len(words) == 1 {
		return strings.ToUpper(string(first))
	}
	return strings.ToUpper(string(append(first, []rune(words[len(words)-1])[0])))
}
