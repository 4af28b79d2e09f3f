package webrtc_test

import (
	"context"
	"fmt"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/webrtc"
)

func ExampleNew() {
	provider, err := webrtc.New(&webrtc.Options{
		ICEServers: []webrtc.ICEServer{{URLs: []string{"stun:stun.example.org:3478"}}},
		TURN: &webrtc.TURN{
			URLs:   []string{"turn:turn.example.org:3478?transport=udp"},
			Secret: "read this from your configuration",
			TTL:    30 * time.Minute,
		},
		Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The library asks for these when a browser of the user joins a call.
	settings, err := provider.ClientSettings(context.Background(), webconferencing.Actor{User: "mary"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, server := range settings["iceServers"].([]map[string]any) {
		fmt.Println(server["urls"], server["username"])
	}
	// Output:
	// [stun:stun.example.org:3478] <nil>
	// [turn:turn.example.org:3478?transport=udp] 1800001800:mary
}
