package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// key is the root secret. The passwords of the database's logins and of the demo's users derive
// from it, and so do the keys that sign and encrypt. It never leaves the data directory.
type key []byte

const keySize = 32

// loginKey reads the key of the data directory. It creates the key at the first start.
func loginKey(dataDir string) (key, error) {
	if err := os.MkdirAll(dataDir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the data directory: %w", err)
	}
	path := filepath.Join(dataDir, keyFile)
	k := make(key, keySize)
	rand.Read(k)
	// If two processes start at the same time, one link succeeds, and both read that file.
	if err := createFile(path, k); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot write the logins' key: %w", err)
	}
	if err := checkPrivate(path); err != nil {
		return nil, err
	}
	k, err := os.ReadFile(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the logins' key: %w", err)
	case len(k) != keySize:
		return nil, fmt.Errorf("%s is not a key of this program: it has %d bytes", path, len(k))
	}
	return k, nil
}

// existingKey is loginKey for commands that must create nothing. Without a key file it returns a
// random key, whose passwords no database accepts.
func existingKey(dataDir string) (key, error) {
	if _, err := os.Lstat(filepath.Join(dataDir, keyFile)); errors.Is(err, fs.ErrNotExist) {
		k := make(key, keySize)
		rand.Read(k)
		return k, nil
	}
	return loginKey(dataDir)
}

// checkPrivate refuses a key file that other users can read, because all passwords derive from it.
// In a directory such as /tmp, another user could have created the file first. The program could
// read that user's key only if its mode let others read it.
func checkPrivate(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read the logins' key: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0: // Windows has no such modes
		return fmt.Errorf(
			"%s can be read or changed by others than its owner, and who has it can be anybody: if it is yours, chmod 600",
			path,
		)
	}
	return nil
}

// createFile creates path with its whole content, or not at all.
func createFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+keyFile+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Link(tmp.Name(), path)
}

func (k key) password(role string) string { return hex.EncodeToString(k.derive(role)) }

// derive returns 32 bytes for one purpose. They reveal neither the key nor the bytes of another
// purpose.
func (k key) derive(purpose string) []byte {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(purpose))
	return mac.Sum(nil)
}

// phrase returns the password of a demo user: 80 bits, in groups of four characters.
func (k key) phrase(whose string) string {
	text := strings.ToLower(base32.StdEncoding.EncodeToString(k.derive("phrase " + whose)[:10]))
	return text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
}
