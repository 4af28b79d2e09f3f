package bayeux_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// says makes an authorizer from what it says to each operation: "yes", "no" or
// nothing.
func says(verdicts map[bayeux.Operation]string) bayeux.Authorizer {
	return func(_ context.Context, _ *bayeux.Session, op bayeux.Operation, _ string, _ *bayeux.Message) (bool, error) {
		if verdicts[op] == "no" {
			return false, &bayeux.Refusal{Reason: "because"}
		}
		return verdicts[op] == "yes", nil
	}
}

const (
	yes = "yes"
	no  = "no"
)

func TestRightsPerPattern(t *testing.T) {
	type verdicts = map[bayeux.Operation]string
	rules := []bayeux.ChannelRule{
		{Pattern: "/guarded/**", Authorize: says(verdicts{bayeux.OpCreate: yes, bayeux.OpSubscribe: yes})},
		{Pattern: "/guarded/open", Authorize: says(verdicts{bayeux.OpPublish: yes})},
		{Pattern: "/guarded/shut/*", Authorize: says(verdicts{bayeux.OpSubscribe: no, bayeux.OpPublish: no})},
		{Pattern: "/silent/*", Authorize: says(nil)},
		{Pattern: "/private/x", Authorize: says(nil)},
		{Pattern: "/granted/x", Authorize: says(verdicts{bayeux.OpSubscribe: yes})},
	}
	first := func(_ context.Context, _ *bayeux.Session, _ bayeux.Operation, channel string, _ *bayeux.Message) error {
		if channel == "/guarded/open/never" {
			return errors.New("no")
		}
		return nil
	}
	notGranted := "403:denied_by_not_granting:"
	item(t, "166 and 167 grants and denials", &bayeux.Options{Channels: rules, Authorize: first}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for _, test := range []struct{ channel, publish, subscribe string }{
			{"/free", "", ""},
			{"/guarded", "", ""},
			{"/guarded/a", notGranted + "publish_denied", ""},
			{"/guarded/open", "", ""},
			{"/guarded/open/never", "403:" + policy + ":channel_create_denied", "403:" + policy + ":create_denied"},
			{"/guarded/shut/a", "403:because:publish_denied", "403:because:subscribe_denied"},
			{"/silent/a", notGranted + "channel_create_denied", notGranted + "create_denied"},
			{"/service/echo", "404::service_unknown", ""},
		} {
			if r := ask(t, c, `{"id":"1","channel":"`+test.channel+`","data":1}`); r.Error != test.publish {
				t.Errorf("publish: %s", r)
			}
			if r := ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"`+test.channel+`"}`); r.Error != test.subscribe {
				t.Errorf("subscribe: %s", r)
			}
		}
	})
	item(t, "74 a pattern needs the grant for what it brings", &bayeux.Options{Channels: rules}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for channel, want := range map[string]string{
			"/**": "403:because:subscribe_denied", "/*": "", "/silent/*": notGranted + "create_denied", "/silent/**": notGranted + "subscribe_denied",
			"/private/*": notGranted + "subscribe_denied", "/private/**": notGranted + "subscribe_denied", "/private/x/*": "",
			"/granted/*": "", "/granted/**": "", "/guarded/shut/**": "403:because:subscribe_denied", "/guarded/b/*": "",
		} {
			if r := ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"`+channel+`"}`); r.Error != want {
				t.Errorf("got %s, want %q", r, want)
			}
		}
	})
}

func TestRightsThatEnd(t *testing.T) {
	var gone atomic.Bool
	rights := &bayeux.Options{
		RecheckSubscriptions: true,
		Authorize: func(_ context.Context, _ *bayeux.Session, _ bayeux.Operation, channel string, m *bayeux.Message) error {
			if gone.Load() && strings.HasPrefix(channel, "/space/") && m.Channel == "/meta/subscribe" && m.Subscriptions[0] == channel {
				return errors.New("not a member any more")
			}
			return nil
		},
		OnUnsubscribe: func(_ *bayeux.Session, channel string, reason bayeux.Reason) {
			if reason == bayeux.ReasonUnauthorized && channel != "/space/a" {
				panic("wrong channel " + channel)
			}
		},
	}
	item(t, "T20 subscriptions are looked at again", rights, func(t *testing.T, s *site, transport string) {
		gone.Store(false)
		c := s.connected(t, transport)
		subscribe(t, c, "/space/a")
		subscribe(t, c, "/other")
		wait := begin(t, c)
		time.Sleep(time.Second)
		gone.Store(true)
		time.Sleep(11 * time.Second)
		publish(t, s, "/space/a", "1")
		publish(t, s, "/other", "2")
		got := wait() // by long-polling, with the connect's reply
		if string(got[0].Data) != "2" || s.Stats().Panics != 0 {
			t.Errorf("got %v", got)
		}
	})
	item(t, "T20 asked at once", rights, func(t *testing.T, s *site, transport string) {
		gone.Store(false)
		c := s.connected(t, transport)
		subscribe(t, c, "/space/a")
		subscribe(t, c, "/other")
		gone.Store(true)
		for session := range s.Sessions() {
			if ended := session.Reauthorize(t.Context()); len(ended) != 1 || ended[0] != "/space/a" {
				t.Errorf("ended %v", ended)
			}
		}
		publish(t, s, "/space/a", "1")
		wantQuiet(t, c)
	})
	for name, inHandler := range map[string]bool{"taken": false, "in its handler": true} {
		item(t, "T20 held poll "+name, &bayeux.Options{
			StayInHandler: inHandler,
			Reauthenticate: func(_ context.Context, r *http.Request, _ *bayeux.Session) error {
				if gone.Load() && r.Header.Get("Cookie") != "" {
					return errors.New("logged out")
				}
				return nil
			},
		}, func(t *testing.T, s *site, transport string) {
			gone.Store(false)
			c, _ := s.connected(t, transport).(*poller)
			subscribe(t, c, "/a")
			held := inBackground(func() []*message { return c.exchange(t, say(c, `{"id":"1","channel":"/meta/connect"}`)) })
			time.Sleep(15 * time.Second)
			gone.Store(true)
			start := time.Now()
			r := one(t, <-held)
			wantError(t, r, "402::session_unknown")
			if r.Advice["reconnect"] != "none" || time.Since(start) > 10*time.Second || s.Stats().Sessions != 0 {
				t.Errorf("after %v: %s", time.Since(start), r)
			}
		}, "long-polling")
	}
	late := &bayeux.Options{
		CallTimeout: time.Second,
		Reauthenticate: func(ctx context.Context, _ *http.Request, _ *bayeux.Session) error {
			if gone.Load() {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		},
	}
	item(t, "T20 held poll that cannot be checked", late, func(t *testing.T, s *site, transport string) {
		gone.Store(false)
		c, _ := s.connected(t, transport).(*poller)
		subscribe(t, c, "/a")
		held := inBackground(func() int {
			status, _, _ := c.post(t.Context(), say(c, `{"id":"1","channel":"/meta/connect"}`))
			return status
		})
		time.Sleep(time.Second)
		gone.Store(true)
		if status := <-held; status != http.StatusGatewayTimeout {
			t.Errorf("status %d", status)
		}
		publish(t, s, "/a", "1")
		gone.Store(false)
		wantNext(t, c, "1")
	}, "long-polling")
}
