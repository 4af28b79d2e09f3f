package config

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxLine = 1 << 20
	maxKeys = 10000
)

// ParseProperties reads properties as Java does: "key=value", "key: value" or
// "key value" in each line, comments after # and !, a backslash at the end
// continues the line, and \t, \n, \r, \f and \u with four hexadecimal digits
// stand for characters. Text is UTF-8. A key that is there twice has its last
// value. Faults name their line.
func ParseProperties(r io.Reader) (map[string]string, error) {
	props := make(map[string]string)
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 4096), maxLine)
	for n := 1; scanner.Scan(); n++ {
		first := n
		line := strings.TrimLeft(scanner.Text(), " \t\f")
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continued(line) {
			line = line[:len(line)-1]
			if !scanner.Scan() {
				break
			}
			n++
			line += strings.TrimLeft(scanner.Text(), " \t\f")
			if len(line) > maxLine {
				return nil, fmt.Errorf("config: line %d is too long", first)
			}
		}
		key, value, err := property(line)
		if err != nil {
			return nil, fmt.Errorf("config: line %d: %w", first, err)
		}
		if props[key] = value; len(props) > maxKeys {
			return nil, fmt.Errorf("config: more than %d properties", maxKeys)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return props, nil
}

// continued tells whether a line ends with an odd number of backslashes.
func continued(line string) bool {
	n := 0
	for n < len(line) && line[len(line)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

func property(line string) (key, value string, err error) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	if key, err = unescape(line[:end]); err != nil {
		return "", "", err
	}
	value, err = unescape(rest)
	return key, value, err
}

func unescape(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("not UTF-8")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+5 > len(s) {
				return "", fmt.Errorf("\\u needs four hexadecimal digits")
			}
			c, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", fmt.Errorf("\\u needs four hexadecimal digits")
			}
			b.WriteRune(rune(c))
			i += 4
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}
