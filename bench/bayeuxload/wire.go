package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// frame is one WebSocket frame from a server.
type frame struct {
	opcode  byte
	payload []byte
}

// The opcodes that matter.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// parseFrame reads one frame from the front of data; used is 0 while it is not
// complete.
func parseFrame(data []byte) (f frame, used int, err error) {
	if len(data) < 2 {
		return f, 0, nil
	}
	if data[0]&0x80 == 0 {
		return f, 0, errors.New("fragmented WebSocket message")
	}
	head, size := 2, int(data[1])
	switch {
	case size > 127:
		return f, 0, errors.New("masked frame from a server")
	case size == 127:
		if head = 10; len(data) < head {
			return f, 0, nil
		}
		size = int(binary.BigEndian.Uint64(data[2:]))
	case size == 126:
		if head = 4; len(data) < head {
			return f, 0, nil
		}
		size = int(binary.BigEndian.Uint16(data[2:]))
	}
	if size < 0 || size > 64<<20 {
		return f, 0, fmt.Errorf("WebSocket frame of %d bytes", size)
	}
	if len(data) < head+size {
		return f, 0, nil
	}
	return frame{data[0] & 15, data[head : head+size]}, head + size, nil
}

// appendFrame appends a client's frame. A mask of zeros is as good as any and
// saves the load side the work; the server unmasks all the same.
func appendFrame(b []byte, opcode byte, payload []byte) []byte {
	b = append(b, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, payload...)
}

// response is an HTTP response.
type response struct {
	status int
	header []byte
	body   []byte
}

// parseResponse reads one response from the front of data; used is 0 while it
// is not complete.
func parseResponse(data []byte) (r response, used int, err error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return r, 0, nil
	}
	head := data[:end+2]
	if len(head) < 13 || !bytes.HasPrefix(head, []byte("HTTP/1.")) {
		return r, 0, fmt.Errorf("not an HTTP response: %.40q", head)
	}
	if r.status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return r, 0, fmt.Errorf("HTTP status: %w", err)
	}
	r.header = head
	rest := data[end+4:]
	if r.status == 101 {
		return r, end + 4, nil
	}
	if text := header(head, "Content-Length"); text != nil {
		size, err := strconv.Atoi(string(text))
		if err != nil {
			return r, 0, fmt.Errorf("content-length: %w", err)
		}
		if len(rest) < size {
			return r, 0, nil
		}
		r.body = rest[:size]
		return r, end + 4 + size, nil
	}
	if bytes.EqualFold(header(head, "Transfer-Encoding"), []byte("chunked")) {
		body, n, err := parseChunks(rest)
		if n == 0 || err != nil {
			return r, 0, err
		}
		r.body = body
		return r, end + 4 + n, nil
	}
	return r, 0, errors.New("HTTP response without a length")
}

// header returns the value of a header field, nil if there is none.
func header(head []byte, name string) []byte {
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\r\n"))
		head = rest
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return bytes.TrimSpace(line[len(name)+1:])
		}
	}
	return nil
}

// parseChunks joins the chunks of a body; used is 0 while they are not
// complete.
func parseChunks(data []byte) (body []byte, used int, err error) {
	for {
		line, _, found := bytes.Cut(data[used:], []byte("\r\n"))
		if !found {
			return nil, 0, nil
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(digits), 16, 26)
		if err != nil {
			return nil, 0, fmt.Errorf("chunk size: %w", err)
		}
		start := used + len(line) + 2
		end := start + int(size) + 2
		if len(data) < end {
			return nil, 0, nil
		}
		if size == 0 {
			return body, end, nil
		}
		body = append(body, data[start:end-2]...)
		used = end
	}
}
