package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/webconferencing/webconferencing"
)

const maxData = 16 << 10

func prepares(ctx context.Context, p webconferencing.Provider, _ *Options) error {
	q, ok := p.(webconferencing.Preparer)
	if !ok {
		return nil
	}
	c := sample(p, 1)
	first, err := q.Prepare(ctx, c.Clone())
	if err != nil {
		return fmt.Errorf("Prepare: %w", err)
	}
	if len(first.Data) > maxData || len(first.Data) > 0 && !json.Valid(first.Data) {
		return fmt.Errorf("Prepare returned %d bytes that are not a JSON value of at most %d", len(first.Data), maxData)
	}
	if !first.Expires.IsZero() && !first.Expires.After(time.Now()) {
		return errors.New("Prepare returned a meeting that is over")
	}
	const nodes = 8
	var wg sync.WaitGroup
	faults := make([]error, nodes)
	for i := range nodes {
		wg.Go(func() {
			m, err := q.Prepare(ctx, c.Clone())
			if err == nil && !bytes.Equal(m.Data, first.Data) {
				err = fmt.Errorf("another meeting for the same run: %s and %s", first.Data, m.Data)
			}
			faults[i] = err
		})
	}
	wg.Wait()
	return errors.Join(faults...)
}

func grants(ctx context.Context, p webconferencing.Provider, _ *Options) error {
	q, ok := p.(webconferencing.Joiner)
	if !ok {
		return nil
	}
	c := sample(p, 2)
	m, err := prepared(ctx, p, c)
	if err != nil {
		return err
	}
	var tokens []string
	for i := range c.Seats {
		g, err := q.Join(ctx, joining(c, i, m))
		if err != nil {
			return fmt.Errorf("Join: %w", err)
		}
		if g == nil {
			continue
		}
		if err := soundGrant(g); err != nil {
			return err
		}
		if g.Token != "" {
			tokens = append(tokens, g.Token)
		}
	}
	if len(tokens) == 2 && tokens[0] == tokens[1] {
		return errors.New("two people got the same token")
	}
	return nil
}

// soundGrant reports what makes a grant useless or dangerous for a browser.
func soundGrant(g *webconferencing.Grant) error {
	if g.URL != "" {
		u, err := url.Parse(g.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "wss" && u.Scheme != "ws" {
			return fmt.Errorf("the grant's address %q is not an address of the web", g.URL)
		}
		if strings.ContainsFunc(g.URL, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '"' || c == '<' || c == '>' }) {
			return fmt.Errorf("the grant's address %q has characters that must be escaped", g.URL)
		}
	}
	if strings.ContainsAny(g.Token, " \t\r\n") {
		return errors.New("the grant's token has white space")
	}
	if !g.Expires.IsZero() && !g.Expires.After(time.Now()) {
		return errors.New("the grant has expired already")
	}
	if _, err := json.Marshal(g.Settings); err != nil {
		return fmt.Errorf("the grant's settings: %w", err)
	}
	return nil
}

// hostileNames joins as people whose names try to break out of wherever they
// are put.
func hostileNames(ctx context.Context, p webconferencing.Provider, _ *Options) error {
	q, ok := p.(webconferencing.Joiner)
	if !ok {
		return nil
	}
	for _, name := range []string{
		"", "../../etc", `"><script>alert(1)</script>`, "a&b=c#d?e", "{room}", "line\r\nbreak: x", "مريم", "\u202eyraM", strings.Repeat("x", 255), `\u0000'; --`,
	} {
		c := sample(p, 3)
		c.Title = name
		m, err := prepared(ctx, p, c)
		if err != nil {
			return fmt.Errorf("call with title %q: %w", name, err)
		}
		r := joining(c, 0, m)
		r.User.FirstName, r.User.LastName, r.User.AvatarLink = name, name, name
		g, err := q.Join(ctx, r)
		if err == nil && g != nil {
			err = soundGrant(g)
		}
		if err != nil {
			return fmt.Errorf("person with the name %q: %w", name, err)
		}
		r.User = nil // a guest whom the directory does not know
		if g, err = q.Join(ctx, r); err == nil && g != nil {
			err = soundGrant(g)
		}
		if err != nil {
			return fmt.Errorf("guest in the call %q: %w", name, err)
		}
	}
	return nil
}

func ends(ctx context.Context, p webconferencing.Provider, _ *Options) error {
	q, ok := p.(webconferencing.Ender)
	if !ok {
		return nil
	}
	c := sample(p, 4)
	m, err := prepared(ctx, p, c)
	if err != nil {
		return err
	}
	c.State = webconferencing.StateStopped
	for i := range 2 {
		if err := q.EndMeeting(ctx, webconferencing.MeetingRequest{Call: c.Clone(), Meeting: m}); err != nil {
			return fmt.Errorf("EndMeeting, time %d: %w", i+1, err)
		}
	}
	// Only the id, the run and the provider of a purged call are known.
	gone := &webconferencing.Call{ID: "g/never_was", Epoch: 7, Provider: c.Provider, State: webconferencing.StateStopped}
	if err := q.EndMeeting(ctx, webconferencing.MeetingRequest{Call: gone}); err != nil {
		return fmt.Errorf("EndMeeting of a meeting that never was: %w", err)
	}
	return nil
}

// asksAboutNothing looks at a meeting that was never made: an error is fine,
// people inside are not.
func asksAboutNothing(ctx context.Context, p webconferencing.Provider, _ *Options) error {
	c := sample(p, 5)
	req := webconferencing.MeetingRequest{Call: c}
	if q, ok := p.(webconferencing.Prober); ok {
		if list, err := q.Probe(ctx, req); err == nil && len(list) > 0 {
			return fmt.Errorf("Probe finds %d people in a meeting that was never made", len(list))
		}
	}
	if q, ok := p.(webconferencing.Recorder); ok {
		if list, err := q.Recordings(ctx, req, webconferencing.Actor{User: "mary"}); err == nil && len(list) > 0 {
			return fmt.Errorf("Recordings finds %d recordings of a meeting that was never made", len(list))
		}
	}
	if q, ok := p.(webconferencing.InfoPanel); ok {
		items, err := q.InfoItems(ctx, req, webconferencing.Actor{User: "mary"})
		if err != nil {
			return fmt.Errorf("InfoItems: %w", err)
		}
		for _, item := range items {
			if item.URL != "" && !strings.HasPrefix(item.URL, "http") {
				return fmt.Errorf("InfoItems has the address %q", item.URL)
			}
		}
	}
	return nil
}

func refuses(ctx context.Context, p webconferencing.Provider, _ *Options) error {
	if q, ok := p.(webconferencing.Moderator); ok {
		if len(q.ModerationActions()) == 0 {
			return errors.New("ModerationActions lists none; a provider without should not be a Moderator")
		}
		c := sample(p, 6)
		err := q.Moderate(ctx, webconferencing.ModerationRequest{
			MeetingRequest: webconferencing.MeetingRequest{Call: c}, Action: "no such action", User: "john",
		})
		if err == nil {
			return errors.New("Moderate does an action that it does not list")
		}
	}
	if q, ok := p.(webconferencing.AccountConnector); ok {
		_, err := q.FinishAccount(ctx, webconferencing.Actor{User: "mary"}, "https://portal.example/back", url.Values{"error": {"access_denied"}})
		if err == nil {
			return errors.New("FinishAccount takes a refusal for a credential")
		}
	}
	return nil
}
