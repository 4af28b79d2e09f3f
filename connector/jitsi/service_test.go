package jitsi_test

import (
	"context"
	"crypto/rsa"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/jitsi"
	"github.com/webconferencing/webconferencing/connector/jitsi/internal/fakejitsi"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// team is a directory in which everybody is a member of one space.
type team []webconferencing.UserID

func (t team) User(_ context.Context, id webconferencing.UserID) (*webconferencing.User, error) {
	for _, u := range t {
		if u == id {
			return &webconferencing.User{ID: id, FirstName: string(id)}, nil
		}
	}
	return nil, webconferencing.ErrNotFound
}

func (t team) Group(_ context.Context, ref webconferencing.Ref) (*webconferencing.Group, error) {
	return &webconferencing.Group{Ref: ref, Title: "Team", Members: t}, nil
}

// TestWithService lets the library drive the connector: a call is made, joined,
// administrated and ended, and its room with it.
func TestWithService(t *testing.T) {
	w := newWorld(t, false, func(po *jitsi.Options, fo *fakejitsi.Options) {
		po.EndMeeting = &jitsi.EndMeeting{KeyID: "system/1", PrivateKey: keyPEM(t, key())}
		po.Now, fo.Now = time.Now, time.Now
		fo.SystemKeys = map[string]*rsa.PublicKey{"system/1": &key().PublicKey}
	})
	store := memstore.New()
	svc, err := webconferencing.New(store, team{"mary", "john"}, &webconferencing.Options{
		Providers: []webconferencing.Provider{w.provider}, PollInterval: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- svc.Run(context.WithoutCancel(t.Context())) }()
	defer func() {
		if err := svc.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		<-ran
	}()

	admin := webconferencing.Actor{User: "root", Admin: true}
	mary := webconferencing.Actor{User: "mary", Client: "tab"}
	token := "120"
	if _, err := svc.Providers().Configure(t.Context(), admin, "jitsi", webconferencing.SettingChange{Values: map[string]*string{"token_seconds": &token}}); err != nil {
		t.Fatal(err)
	}
	if d, err := svc.Providers().Diagnose(t.Context(), admin, "jitsi"); err != nil || !d.Ready {
		t.Errorf("diagnosis %+v, %v", d, err)
	}
	_, err = svc.CreateCall(t.Context(), mary, webconferencing.NewCall{
		ID: "g/team", Owner: webconferencing.Ref{Type: webconferencing.OwnerSpace, ID: "team"}, Provider: "jitsi", Title: "Team", Start: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := svc.JoinCall(t.Context(), mary, "g/team")
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(a.Grant.Expires); left > 2*time.Minute {
		t.Errorf("the setting is not kept: the token is good for %v", left)
	}
	o, err := w.enter(a.Grant)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Owner {
		t.Error("who started the call is no moderator")
	}
	b, err := svc.JoinCall(t.Context(), webconferencing.Actor{User: "john", Client: "tab"}, "g/team")
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.enter(b.Grant)
	if err != nil {
		t.Fatal(err)
	}
	if p.Owner {
		t.Error("a guest of the call is moderator")
	}
	if err := svc.TakeEvidence(t.Context(), "jitsi", w.seen()); err != nil {
		t.Error(err)
	}

	if _, err := svc.StopCall(t.Context(), admin, "g/team"); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(20 * time.Second)
	for len(w.fake.Rooms()) > 0 {
		select {
		case <-deadline:
			t.Fatalf("rooms %q are still open", w.fake.Rooms())
		case <-time.Tick(20 * time.Millisecond):
		}
	}
}
