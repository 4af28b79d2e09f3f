package wsframe

import "testing"

// TestManners checks that yielding is given up little by little where it is of
// no use, and resumed where it is.
func TestManners(t *testing.T) {
	var m manners
	tried := 0
	for range 1000 {
		if m.yields() {
			tried++
			m.learn(false)
		}
	}
	if tried < 15 || tried > 25 {
		t.Errorf("tried %d times of 1000 in vain", tried)
	}
	for !m.yields() {
	}
	m.learn(true)
	for i := range 10 {
		if !m.yields() {
			t.Fatalf("does not yield after %d that were good", i+1)
		}
		m.learn(true)
	}
	m.learn(false)
	if m.yields() || !m.yields() {
		t.Error("one reading in vain costs more, or less, than one without")
	}
}
