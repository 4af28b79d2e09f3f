package bayeux

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ChannelRule sets how messages on some channels are treated.
type ChannelRule struct {
	// Pattern is a broadcast channel or ends in /* or /**. It is required.
	Pattern string

	// Lazy is how long a message may wait for a response that is sent anyway
	// before it causes one. Of several rules the shortest counts. It does not
	// concern [Session.Deliver]. Defaults to sending at once.
	Lazy time.Duration

	// HideOwnMessages keeps publishers from getting their own messages.
	// Defaults to Options.HideOwnMessages.
	HideOwnMessages bool

	// Authorize has a say, together with Options.Authorize and with the other
	// rules, about what clients do on these channels; see [Authorizer].
	// Defaults to having none.
	Authorize Authorizer

	// Filters change or refuse the data of clients' messages, in order.
	// Defaults to none.
	Filters []DataFilter
}

// Authorizer decides about one operation on a channel of its rule: true grants
// it, false leaves it to others, and an error denies it, see [Refusal] for the
// words.
//
// Options.Authorize is asked first, and its no is final. Without an Authorizer
// for the channel its yes is enough. Otherwise all are asked: one denial denies,
// and with neither a denial nor a grant the answer is
// "denied_by_not_granting". A subscription to a pattern such as /** needs the
// grant of each rule with an Authorizer for channels that it matches, since it
// would bring their messages too. Service channels have no rules.
type Authorizer func(ctx context.Context, s *Session, op Operation, channel string, m *Message) (granted bool, err error)

// DataFilter changes the data of a message that a client publishes, after
// Options.OnPublish and before Options.History; [Server.Publish] does not ask
// filters. It returns
// the data to pass on, valid JSON. An error, or nil data, drops the message:
// the publisher is answered "404::message_deleted" or a [Refusal]'s words.
type DataFilter func(ctx context.Context, s *Session, channel string, data json.RawMessage) (json.RawMessage, error)

// errFilterData says that a filter returned something else than valid JSON.
var errFilterData = fmt.Errorf("data filter: %w", ErrData)

func (c *ChannelRule) validate(o *Options) error {
	name, ok := canonicalChannel(c.Pattern, o.MaxChannelBytes, o.MaxChannelSegments)
	if !ok || isMeta(name) || isService(name) {
		return fmt.Errorf("pattern %q: %w", c.Pattern, ErrChannel)
	}
	if c.Lazy < 0 {
		return fmt.Errorf("lazy must not be negative, is %v", c.Lazy)
	}
	if slices.ContainsFunc(c.Filters, func(f DataFilter) bool { return f == nil }) {
		return fmt.Errorf("pattern %q has a nil filter", c.Pattern)
	}
	c.Pattern = name
	return nil
}

// matches reports whether a pattern matches a concrete channel.
func matches(pattern, channel string) bool {
	found := false
	eachPattern(channel, func(p string) { found = found || p == pattern })
	return found
}

func (srv *Server) rulesFor(channel string, yield func(*ChannelRule)) {
	for i := range srv.opts.Channels {
		if rule := &srv.opts.Channels[i]; matches(rule.Pattern, channel) {
			yield(rule)
		}
	}
}

func (srv *Server) lazyFor(channel string) time.Duration {
	var least time.Duration
	srv.rulesFor(channel, func(r *ChannelRule) {
		if r.Lazy > 0 && (least == 0 || r.Lazy < least) {
			least = r.Lazy
		}
	})
	return least
}

func (srv *Server) hidesOwn(channel string) bool {
	hide := srv.opts.HideOwnMessages
	srv.rulesFor(channel, func(r *ChannelRule) { hide = hide || r.HideOwnMessages })
	return hide
}

// filter is the server's, under the guard of hooks.
func (x *exchange) filter(s *Session, m *Message) (json.RawMessage, error) {
	if len(x.srv.opts.Channels) == 0 {
		return m.Data, nil
	}
	var data json.RawMessage
	err := x.askForPublish(x.srv.guards.filter, s, func(ctx context.Context) (err error) {
		data, err = x.srv.filter(ctx, s, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// filter runs the filters for the channel over a client's data. Nil data means
// that the message is to be dropped.
func (srv *Server) filter(ctx context.Context, s *Session, m *Message) (data json.RawMessage, err error) {
	data = m.Data
	srv.rulesFor(m.Channel, func(r *ChannelRule) {
		for _, f := range r.Filters {
			if err == nil && data != nil {
				data, err = f(ctx, s, m.Channel, data)
			}
		}
	})
	if err == nil && data != nil && checkJSON(data, srv.opts.MaxDepth, srv.opts.MaxTokens) != nil {
		err = errFilterData
	}
	return data, err
}

// FilterStrings makes a filter that replaces every string value in the data,
// at any depth, by what f makes of it. Keys, numbers and their order stay as
// they are.
func FilterStrings(f func(string) string) DataFilter {
	return func(_ context.Context, _ *Session, _ string, data json.RawMessage) (json.RawMessage, error) {
		return rewriteStrings(data, f), nil
	}
}

// NoMarkup is a filter that makes < and > in strings harmless in HTML.
func NoMarkup() DataFilter {
	r := strings.NewReplacer("<", "&lt;", ">", "&gt;")
	return FilterStrings(r.Replace)
}

// NoScripts is a filter that turns script elements in strings into spans. It
// is no protection against hostile users: other markup can run code too.
func NoScripts() DataFilter {
	return FilterStrings(func(s string) string { return replaceFold(replaceFold(s, "<script", "<span"), "</script", "</span") })
}

// replaceFold replaces an ASCII text regardless of its case.
func replaceFold(s, old, new string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if len(s)-i >= len(old) && strings.EqualFold(s[i:i+len(old)], old) {
			b.WriteString(new)
			i += len(old)
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		b.WriteString(s[i : i+size])
		i += size
	}
	return b.String()
}

// rewriteStrings copies checked JSON, replacing its string values.
func rewriteStrings(data []byte, f func(string) string) []byte {
	out := make([]byte, 0, len(data)+len(data)/8)
	s := scanner{text: data}
	for s.at < len(data) {
		if data[s.at] != '"' {
			out = append(out, data[s.at])
			s.at++
			continue
		}
		from := s.at
		raw, err := s.str()
		if err != nil {
			return nil
		}
		end := s.at
		s.space()
		if s.peek() == ':' {
			out = append(out, data[from:end]...)
		} else {
			out = appendString(out, f(unescape(raw)))
		}
		s.at = end
	}
	return out
}
