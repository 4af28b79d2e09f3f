package webconferencing

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// What a provider adds around a call: its info panel, the way in by telephone,
// busy times, and its own links.

const (
	maxPanel     = 100 // lines of an info panel, telephone numbers
	maxBusySpan  = 92 * 24 * time.Hour
	maxIntervals = 10000
	maxLink      = 2048
)

// webLink tells whether an address that came from a provider may be shown as a
// link.
func webLink(link string) bool {
	u, err := url.Parse(link)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && len(link) <= maxLink
}

// InfoItems returns what the provider has to say about a call to one of its
// parties, at most 100 lines; none if it has no info panel. An address that is
// not of the web is left out.
func (s *Service) InfoItems(ctx context.Context, by Actor, id CallID) ([]InfoItem, error) {
	const op = "get call info"
	c, e, err := s.runFor(ctx, by, id, false)
	if err != nil || e.panel == nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	req, err := s.registry.request(ctx, e, c)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	items, err := ask(ctx, s.registry, e, func(ctx context.Context) ([]InfoItem, error) { return e.panel.InfoItems(ctx, req, by) })
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	safe := make([]InfoItem, 0, len(items))
	for _, item := range items[:min(len(items), maxPanel)] {
		if item.URL != "" && !webLink(item.URL) {
			item.URL = ""
		}
		safe = append(safe, item)
	}
	return safe, nil
}

// PhoneNumbers returns the ways into a started call by telephone, at most 100,
// to its parties; none if the provider has no telephone.
func (s *Service) PhoneNumbers(ctx context.Context, by Actor, id CallID) ([]PhoneNumber, error) {
	const op = "get phone numbers"
	c, e, err := s.runFor(ctx, by, id, false)
	if err != nil || e.telephone == nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if c.State != StateStarted {
		return nil, s.wrap(ctx, by, op, notStarted())
	}
	req, err := s.registry.request(ctx, e, c)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	list, err := ask(ctx, s.registry, e, func(ctx context.Context) ([]PhoneNumber, error) { return e.telephone.PhoneNumbers(ctx, req) })
	return slices.Clone(list[:min(len(list), maxPanel)]), s.wrap(ctx, by, op, err)
}

// DialOut calls a telephone and brings it into a started call, for those who
// moderate it. The number is in the form of E.164: "+" and 4 to 15 digits.
func (s *Service) DialOut(ctx context.Context, by Actor, id CallID, number string) error {
	const op = "dial out"
	c, e, err := s.runFor(ctx, by, id, true)
	switch {
	case err != nil:
		return s.wrap(ctx, by, op, err)
	case e.telephone == nil:
		return s.wrap(ctx, by, op, cannot("dial"))
	case !validNumber(number):
		return s.wrap(ctx, by, op, invalid("number", `is not "+" and 4 to 15 digits`))
	case c.State != StateStarted:
		return s.wrap(ctx, by, op, notStarted())
	}
	req, err := s.registry.request(ctx, e, c)
	if err != nil {
		return s.wrap(ctx, by, op, err)
	}
	return s.wrap(ctx, by, op, tell(ctx, s.registry, e, func(ctx context.Context) error { return e.telephone.DialOut(ctx, req, by, number) }))
}

func validNumber(n string) bool {
	if len(n) < 5 || len(n) > 16 || n[0] != '+' || n[1] == '0' {
		return false
	}
	for _, c := range n[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Busy returns when a user is busy within an interval of at most 92 days, as
// far as the active providers know: sorted, without overlaps, cut to the
// interval. Users ask about themselves, administrators about anybody. If one
// provider does not answer the whole is an error, since "not known" must not
// look like "free".
func (s *Service) Busy(ctx context.Context, by Actor, user UserID, within Interval) ([]Interval, error) {
	const op = "get busy times"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if by.User != user && !by.Admin {
		return nil, s.wrap(ctx, by, op, denied("these are somebody else's"))
	}
	if !within.From.Before(within.To) || within.To.Sub(within.From) > maxBusySpan {
		return nil, s.wrap(ctx, by, op, invalid("within", "must be a time of at most 92 days"))
	}
	lists := make([][]Interval, len(s.registry.entries))
	g, ctx := errgroup.WithContext(ctx)
	for i, e := range s.registry.entries {
		if e.availability == nil {
			continue
		}
		g.Go(func() error {
			active, _, err := s.registry.active(ctx, e)
			if err != nil || !active {
				return err
			}
			lists[i], err = ask(ctx, s.registry, e, func(ctx context.Context) ([]Interval, error) {
				return e.availability.Busy(ctx, user, within)
			})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	return merge(slices.Concat(lists...), within), nil
}

// merge sorts intervals, cuts them to the one given and joins those that touch.
func merge(list []Interval, within Interval) []Interval {
	slices.SortFunc(list, func(a, b Interval) int { return a.From.Compare(b.From) })
	merged := []Interval{}
	for _, v := range list {
		if v.From.Before(within.From) {
			v.From = within.From
		}
		if v.To.After(within.To) {
			v.To = within.To
		}
		if !v.From.Before(v.To) {
			continue
		}
		if n := len(merged); n > 0 && !v.From.After(merged[n-1].To) {
			if v.To.After(merged[n-1].To) {
				merged[n-1].To = v.To
			}
			continue
		}
		if len(merged) == maxIntervals {
			break
		}
		merged = append(merged, v)
	}
	return merged
}

// ParseURL finds the provider that recognises a link, such as one in an
// imported appointment, and its room. The error has [CodeNotFound] if none
// does.
func (r *Registry) ParseURL(ctx context.Context, link string) (typ, room string, err error) {
	const op = "parse link"
	if err := checkText("link", link, 1, maxLink); err != nil {
		return "", "", r.service.wrap(ctx, Actor{}, op, err)
	}
	var faults []error
	for _, e := range r.entries {
		if e.parser == nil {
			continue
		}
		room, err := ask(ctx, r, e, func(context.Context) (string, error) {
			if room, ok := e.parser.ParseURL(link); ok {
				return room, nil
			}
			return "", ErrNotFound
		})
		switch {
		case err == nil:
			return e.info.Type, room, nil
		case !errors.Is(err, ErrNotFound):
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return "", "", r.service.wrap(ctx, Actor{}, op, err)
	}
	return "", "", r.service.wrap(ctx, Actor{}, op, &Error{Code: CodeNotFound, Message: "no provider knows this link", Err: ErrNotFound})
}

// ClientPolicy returns what a page must allow for the browser modules of all
// providers that are switched on, each word once and in order.
func (r *Registry) ClientPolicy(ctx context.Context) (ClientPolicy, error) {
	all := ClientPolicy{Sources: make(map[string][]string)}
	for _, e := range r.entries {
		if e.policy == nil {
			continue
		}
		active, _, err := r.active(ctx, e)
		if err != nil {
			return ClientPolicy{}, r.service.wrap(ctx, Actor{}, "get client policy", err)
		}
		if !active {
			continue
		}
		p, err := ask(ctx, r, e, func(context.Context) (ClientPolicy, error) { return e.policy.ClientPolicy(), nil })
		if err != nil {
			return ClientPolicy{}, r.service.wrap(ctx, Actor{}, "get client policy", err)
		}
		for directive, sources := range p.Sources {
			all.Sources[directive] = sorted(append(all.Sources[directive], sources...))
		}
		all.Permissions = sorted(append(all.Permissions, p.Permissions...))
		all.Features = sorted(append(all.Features, p.Features...))
	}
	return all, nil
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
