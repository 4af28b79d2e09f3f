package wsframe

import "unicode/utf8"

// checkText validates text that may go on. It returns how much of it needs not
// be looked at again: all but a character that is cut off at the end.
func checkText(p []byte) (checked int, ok bool) {
	end := len(p)
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if tail := p[len(p)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				end -= i
			}
			break
		}
	}
	return end, utf8.Valid(p[:end])
}
