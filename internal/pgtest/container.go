package pgtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// startContainer runs the program in the directory container, which starts PostgreSQL with
// testcontainers-go. The program is a separate module, so that its many dependencies do not reach
// the users of the library. The container lives until the program's standard input closes, also
// because this process ends.
func startContainer(ctx context.Context) (url string, stop func(keep bool) error, err error) {
	cmd := exec.Command("go", "run", ".")
	if cmd.Dir, err = containerDir(); err != nil {
		return "", nil, err
	}
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func(bool) error {
		return errors.Join(stdin.Close(), cmd.Wait())
	}
	var ready struct {
		URL string `json:"url"`
	}
	line := make(chan error, 1)
	go func() {
		content, err := bufio.NewReader(stdout).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(content, &ready)
		}
		line <- err
	}()
	select {
	case err = <-line:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("container: %w", err), stop(false))
	}
	return ready.URL, stop, nil
}

// containerDir returns the directory of the program, which is beside this source file.
func containerDir() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the source of the fixture is not known")
	}
	dir := filepath.Join(filepath.Dir(file), "container")
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		return "", fmt.Errorf("the container program is not beside the fixture: %w", err)
	}
	return dir, nil
}
