package jitsi_test

import (
	"context"
	"fmt"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/jitsi"
)

func ExampleNew() {
	provider, err := jitsi.New("https://meet.example.org", []byte("32 bytes or more, the same on all nodes"), &jitsi.Options{
		Token:         &jitsi.Token{AppID: "portal", Secret: "the server's app_secret"},
		WebhookSecret: "what the server's webhooks bring",
		Now:           func() time.Time { return time.Unix(1_800_000_000, 0).UTC() },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The library asks for a grant when a device joins a call.
	grant, err := provider.Join(context.Background(), webconferencing.JoinRequest{
		Call:  &webconferencing.Call{ID: "g/product_team", Epoch: 1},
		Actor: webconferencing.Actor{User: "mary", Client: "tab"},
		Seat:  webconferencing.SeatRef{Call: "g/product_team", Epoch: 1, Seat: "seat"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(grant.URL)
	fmt.Println(grant.Expires)
	// Output:
	// https://meet.example.org/hzz2dmksg5qf26gwiqnhk32kexlrcdwu5e33ztxy4qxw53duwi
	// 2027-01-15 08:10:00 +0000 UTC
}

func ExampleNewJaaS() {
	_, err := jitsi.NewJaaS(jitsi.JaaS{AppID: "vpaas-magic-cookie-1234"}, []byte("short"), nil)
	fmt.Println(err)
	// Output:
	// jitsi: KeyID: is not letters, digits, '.', '_' and '-'
	// PrivateKey: is not in PEM form
	// roomSecret: shorter than 32 bytes
}
