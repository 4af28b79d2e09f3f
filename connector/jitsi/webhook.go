package jitsi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

// maxEventAge is how old an event may be. The library drops repeats for a day,
// so an older one could have been sent again by somebody who recorded it.
const maxEventAge = 24 * time.Hour

// maxFuture is how far the server's clock may be ahead.
const maxFuture = 10 * time.Minute

// Webhook implements [webconferencing.WebhookReceiver] for event_sync,
// reservations and JaaS. Requests without the bearer token
// [Options].WebhookSecret, or a JWT signed with it (HS256, aud
// "webconferencing", good for at most five minutes), are refused; JaaS sends
// the secret as it is.
//
// Who left is told by event_sync and JaaS. That a room became empty says
// nothing new and nothing of those who are about to come back, so the call
// does not end by it; it does when a room was closed because its time was
// over.
func (p *Provider) Webhook(_ context.Context, r webconferencing.WebhookRequest) (*webconferencing.WebhookReply, error) {
	c := p.current.Load()
	now := p.opts.Now()
	header := http.Header(r.Header).Get("Authorization")
	bearer, prefixed := strings.CutPrefix(header, "Bearer ")
	if !prefixed && !c.jaas {
		bearer = ""
	}
	if err := checkBearer(c.webhookSecret, bearer, now); err != nil {
		return nil, &webconferencing.Error{Code: webconferencing.CodeDenied, Message: "not authentic", Err: err}
	}
	path := strings.Trim(r.Path, "/")
	switch {
	case path == "conference" || strings.HasPrefix(path, "conference/"):
		return p.reservation(c, r, strings.TrimPrefix(strings.TrimPrefix(path, "conference"), "/"), now)
	case r.Method != http.MethodPost:
		return nil, &webconferencing.Error{Code: webconferencing.CodeInvalid, Message: "only POST is known here"}
	case strings.HasPrefix(path, "events/"):
		return p.eventSync(r.Body, now)
	case path == "jaas" && c.jaas:
		return p.jaasEvent(c, r.Body, now)
	}
	return nil, &webconferencing.Error{Code: webconferencing.CodeNotFound, Message: "there is no such webhook"}
}

func malformed(err error) error {
	return &webconferencing.Error{Code: webconferencing.CodeInvalid, Field: "body", Message: "body is not what was expected", Err: err}
}

// recent tells whether something that happened at t may still be believed;
// times that are not known are.
func recent(t, now time.Time) bool {
	return t.IsZero() || (now.Sub(t) < maxEventAge && t.Sub(now) < maxFuture)
}

// text is a member of a foreign object that should be a text; anything else,
// as the null of somebody without a token, is "".
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) != nil || len(s) > maxName {
		s = ""
	}
	*t = text(s)
	return nil
}

// unixTime is a foreign time in Unix seconds; anything else is the zero time.
type unixTime struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *unixTime) UnmarshalJSON(raw []byte) error {
	t.Time = instant(raw, 1000)
	return nil
}

// unixMillis is the same in milliseconds.
type unixMillis struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *unixMillis) UnmarshalJSON(raw []byte) error {
	t.Time = instant(raw, 1)
	return nil
}

func instant(raw []byte, unit float64) time.Time {
	var n float64
	if json.Unmarshal(raw, &n) != nil || n <= 0 || n*unit > 1e14 {
		return time.Time{}
	}
	return time.UnixMilli(int64(n * unit)).UTC()
}
