package jitsi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/webconferencing/webconferencing"
)

// maxScript bounds what is read of the server's script.
const maxScript = 4 << 20

// Check implements [webconferencing.Checker]: it fetches the server's browser
// API, as browsers will, and tells what administrators should know of the
// settings.
func (p *Provider) Check(ctx context.Context) (webconferencing.Diagnosis, error) {
	c := p.current.Load()
	d := webconferencing.Diagnosis{Details: map[string]string{
		"server":   c.origin,
		"tokens":   "signed with HS256 as " + c.appID,
		"webhooks": "accepted with the secret",
	}}
	switch {
	case c.jaas:
		d.Details["tokens"] = "signed with RS256 as " + c.signer.kid
	case c.signer == nil:
		d.Details["tokens"] = "none: whoever knows a room's name can enter while the call runs"
	}
	if c.webhookSecret == "" {
		d.Details["webhooks"] = "all refused, as there is no secret"
	}
	d.Problem = p.problem(ctx, c)
	d.Ready = d.Problem == ""
	return d, ctx.Err()
}

// problem fetches the script; "" if it is there.
func (p *Provider) problem(ctx context.Context, c *setup) string {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.script(), http.NoBody)
	if err != nil {
		return "The server's address is not one."
	}
	res, err := p.http.Do(q)
	if err != nil {
		return fmt.Sprintf("The server can't be reached: %v.", withoutQuery(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Sprintf("The server answers %d to %s.", res.StatusCode, c.script())
	}
	// Web servers like to answer everything with the start page.
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if !strings.Contains(kind, "javascript") || !mentions(io.LimitReader(res.Body, maxScript), "JitsiMeetExternalAPI") {
		return fmt.Sprintf("What is at %s is not Jitsi's browser API.", c.script())
	}
	return ""
}

// mentions tells whether a word is somewhere in a text, reading it in pieces.
func mentions(r io.Reader, word string) bool {
	b := bufio.NewReaderSize(r, 64<<10)
	for {
		piece, err := b.Peek(64 << 10)
		if strings.Contains(string(piece), word) {
			return true
		}
		if err != nil || len(piece) <= len(word) {
			return false
		}
		if _, err := b.Discard(len(piece) - len(word)); err != nil {
			return false
		}
	}
}
