package wsframe

// manners decides whether a reader lets other goroutines go first. When the
// processors are busy, the next message of a client who only waited for an
// answer is there when the others have had their turn: that saves the attempt to
// read in vain, and being parked and woken. Where it does not work out, it is
// tried less and less often.
type manners struct {
	skip  uint8 // readings before it is tried again
	pause uint8 // how many there were the last time
}

// yields reports whether to try it with this reading. Then learn must follow.
func (m *manners) yields() bool {
	if m.skip > 0 {
		m.skip--
		return false
	}
	return true
}

// learn notes whether there was something to read.
func (m *manners) learn(good bool) {
	const most = 1<<6 - 1
	if good {
		m.pause = 0
	} else {
		m.pause = min(2*m.pause+1, most)
	}
	m.skip = m.pause
}
