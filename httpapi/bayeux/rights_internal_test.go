package bayeux

import "testing"

// TestOverlap compares overlap with a look at all channels of a small world.
func TestOverlap(t *testing.T) {
	var trees []string
	for _, a := range []string{"/a", "/b"} {
		trees = append(trees, a)
		for _, b := range []string{"/a", "/b"} {
			trees = append(trees, a+b)
		}
	}
	patterns := []string{"/*", "/**"}
	channels := []string{}
	for _, tree := range trees {
		patterns = append(patterns, tree, tree+"/*", tree+"/**")
		channels = append(channels, tree, tree+"/z", tree+"/z/z")
	}
	for _, rule := range patterns {
		for _, name := range patterns {
			all, some := true, false
			for _, channel := range channels {
				if matches(name, channel) {
					hit := matches(rule, channel)
					all, some = all && hit, some || hit
				}
			}
			if gotAll, gotSome := overlap(rule, name); gotAll != all || gotSome != some {
				t.Errorf("rule %s and %s: got %v, %v, want %v, %v", rule, name, gotAll, gotSome, all, some)
			}
		}
	}
}
