package program

import (
	"io"
	"sync"
)

// output keeps what a program prints: the end of everything, in the order in
// which it was printed; or, where stdout is the answer, the beginning of stdout
// and the end of stderr. Writing to it never fails: a program is not to be
// stopped by its own chatter.
type output struct {
	most int // bytes of stdout; 0 when it is not the answer

	mu         sync.Mutex
	head, tail []byte
	cut        bool
}

// writers are for stdout and stderr. When they are the same, the program gets one
// pipe for both, and so they stay in order.
func (o *output) writers() (stdout, stderr io.Writer) {
	if o.most > 0 {
		return answerWriter{o}, o
	}
	return o, o
}

// Write keeps the end.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, p...)
	if len(o.tail) > maxSaid {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-maxSaid:]...)
	}
	return len(p), nil
}

type answerWriter struct{ *output }

// Write keeps the beginning.
func (w answerWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	room := w.most - len(w.head)
	w.cut = w.cut || len(p) > room
	w.head = append(w.head, p[:min(len(p), room)]...)
	return len(p), nil
}

func (o *output) result(program string) Result {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := Result{Program: program, Stdout: string(o.head), Cut: o.cut, tail: string(o.tail)}
	if r.tail == "" {
		r.tail = string(o.head[max(0, len(o.head)-maxSaid):])
	}
	return r
}
