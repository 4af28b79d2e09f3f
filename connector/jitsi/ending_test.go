package jitsi_test

import (
	"context"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/jitsi"
	"github.com/webconferencing/webconferencing/connector/jitsi/internal/fakejitsi"
)

func TestEndMeeting(t *testing.T) {
	for name, test := range map[string]struct {
		kid    string
		tenant string
		fails  bool
	}{
		"known key":   {kid: "system/1"},
		"with tenant": {kid: "system/1", tenant: "school"},
		"unknown key": {kid: "system/2", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false, func(po *jitsi.Options, fo *fakejitsi.Options) {
				po.Tenant = test.tenant
				if test.tenant != "" {
					fo.Subject = test.tenant
				}
				po.EndMeeting = &jitsi.EndMeeting{KeyID: test.kid, PrivateKey: keyPEM(t, key())}
				fo.SystemKeys = map[string]*rsa.PublicKey{"system/1": &key().PublicKey}
			})
			r := request("g/team", 4, "mary")
			w.mustEnter(r)
			w.mustEnter(request("g/team", 4, "john"))
			next := w.mustEnter(request("g/team", 5, "mary"))
			end := webconferencing.MeetingRequest{Call: r.Call}
			err := w.provider.EndMeeting(t.Context(), end)
			if test.fails {
				if err == nil || !strings.Contains(err.Error(), "401") {
					t.Errorf("ended with %v", err)
				}
				if len(w.fake.Rooms()) != 2 {
					t.Error("a room was closed")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if rooms := w.fake.Rooms(); len(rooms) != 1 || len(w.fake.Occupants(rooms[0])) != 1 || w.fake.Occupants(rooms[0])[0].JID != next.JID {
				t.Errorf("left are %q", rooms)
			}
			if err := w.provider.EndMeeting(t.Context(), end); err != nil {
				t.Errorf("to end what is gone: %v", err)
			}
		})
	}
}

func TestEndMeetingWithoutServer(t *testing.T) {
	w := newWorld(t, false, func(po *jitsi.Options, _ *fakejitsi.Options) {
		po.EndMeeting = &jitsi.EndMeeting{KeyID: "k", PrivateKey: keyPEM(t, key())}
	})
	w.server.Close()
	room := roomName(w.join(request("g/team", 4, "mary")))
	err := w.provider.EndMeeting(t.Context(), webconferencing.MeetingRequest{Call: request("g/team", 4, "mary").Call})
	if err == nil || strings.Contains(err.Error(), room) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.provider.EndMeeting(ctx, webconferencing.MeetingRequest{Call: request("g/team", 4, "mary").Call}); err == nil {
		t.Error("went on after being cancelled")
	}
}

func TestEndMeetingIsOptional(t *testing.T) {
	w := newWorld(t, false, nil)
	w.mustEnter(request("g/team", 4, "mary"))
	if err := w.provider.EndMeeting(t.Context(), webconferencing.MeetingRequest{Call: request("g/team", 4, "mary").Call}); err != nil || len(w.fake.Rooms()) != 1 {
		t.Errorf("rooms %q, error %v", w.fake.Rooms(), err)
	}
}

func TestCheck(t *testing.T) {
	w := newWorld(t, false, nil)
	d, err := w.provider.Check(t.Context())
	if err != nil || !d.Ready || d.Problem != "" {
		t.Errorf("diagnosis %+v, %v", d, err)
	}
	for _, value := range d.Details {
		if strings.Contains(value, appSecret) || strings.Contains(value, hookSecret) {
			t.Errorf("%q shows a secret", value)
		}
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		problem string
	}{
		"missing": {http.NotFound, "404"},
		"redirect": {func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "https://elsewhere.example/", http.StatusFound)
		}, "302"},
		"start page": {func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>JitsiMeetExternalAPI")) }, "not Jitsi"},
		"other script": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/javascript")
			_, _ = rw.Write([]byte(strings.Repeat("x", 200_000)))
		}, "not Jitsi"},
		"word far behind": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/javascript")
			_, _ = rw.Write([]byte(strings.Repeat("x", 64<<10-5) + "JitsiMeetExternalAPI"))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			p, err := jitsi.New(server.URL, roomSecret, nil)
			if err != nil {
				t.Fatal(err)
			}
			d, err := p.Check(t.Context())
			if err != nil || d.Ready != (test.problem == "") || !strings.Contains(d.Problem, test.problem) {
				t.Errorf("diagnosis %+v, %v", d, err)
			}
		})
	}
	w.server.Close()
	if d, err := w.provider.Check(t.Context()); err != nil || d.Ready || !strings.Contains(d.Problem, "reached") {
		t.Errorf("without a server: %+v, %v", d, err)
	}
}
