package bayeux_test

import (
	"maps"
	"testing"
)

// TestSubscribers counts who gets what, as clients come and go.
func TestSubscribers(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		s := newSite(t, nil)
		one, two := s.connected(t, transport), s.connected(t, transport)
		for _, channel := range []string{"/chat/a", "/chat/*", "/**"} {
			subscribe(t, one, channel)
		}
		subscribe(t, two, "/chat/a")
		three := local(t, s, "", nil)
		if err := three.Subscribe(t.Context(), "/chat/b/c"); err != nil {
			t.Fatal(err)
		}
		for channel, want := range map[string]int{
			"/chat/a": 2, "/chat/a/": 2, "/chat/b": 1, "/chat/b/c": 2, "/else": 1,
			"/chat/*": 1, "/chat/**": 0, "/**": 1, "": 0, "chat": 0, "/a//b": 0,
		} {
			if got := s.Subscribers(channel); got != want {
				t.Errorf("%q has %d subscribers, want %d", channel, got, want)
			}
		}
		want := map[string]int{"/chat/a": 2, "/chat/*": 1, "/**": 1, "/chat/b/c": 1}
		if got := maps.Collect(s.Channels()); !maps.Equal(got, want) {
			t.Errorf("got %v", got)
		}
		wantOK(t, ask(t, one, `{"id":"d","channel":"/meta/disconnect"}`))
		three.Close()
		want = map[string]int{"/chat/a": 1}
		if got := maps.Collect(s.Channels()); !maps.Equal(got, want) || s.Subscribers("/chat/a") != 1 {
			t.Errorf("got %v after the end of two", got)
		}
	})
}
