package lane

// Conns returns how many connections there are.
func (l *Lane) Conns() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, h := range l.hosts {
		h.mu.Lock()
		n += len(h.conns)
		h.mu.Unlock()
	}
	return n
}
