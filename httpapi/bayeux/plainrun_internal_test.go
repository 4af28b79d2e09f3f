package bayeux

import (
	"bytes"
	"testing"
)

// TestPlainRun puts each byte at each place of a text, with others before and
// after it that are almost special.
func TestPlainRun(t *testing.T) {
	for _, around := range []string{"a", " ", "!", "#", "[", "]", "~", "\x7f"} {
		for at := range 20 {
			for c := range 256 {
				text := bytes.Repeat([]byte(around), 20)
				text[at] = byte(c)
				want := 0
				for want < len(text) && plain(text[want]) {
					want++
				}
				if got := plainRun(text); got != want {
					t.Fatalf("%q: %d bytes, want %d", text, got, want)
				}
			}
		}
	}
}
