package main

import (
	"strings"
	"testing"
	"time"
)

func TestEveryCase(t *testing.T) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			n := sizes{
				out: &out, writers: []int{3}, rounds: 1, duration: 50 * time.Millisecond, people: 5, calls: 10,
				stored: 20, live: 5, couples: 2, single: 5, reads: 100,
			}
			if err := c.measure(t.Context(), t.TempDir(), n); err != nil {
				t.Fatal(err)
			}
			if out.Len() == 0 {
				t.Error("no figures")
			}
		})
	}
}
