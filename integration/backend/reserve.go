package backend

import (
	"net"
	"net/netip"
	"os"
	"syscall"
)

// reserve binds a socket to addr without listening: the kernel refuses connections to it, and gives
// the port to nobody else meanwhile.
func reserve(addr string) (int, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return -1, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	// The connections just closed are in TIME_WAIT on this port.
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()})
	}
	if err == nil {
		// Go's listeners set it too, and two that do may share a port on which nobody listens.
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0)
	}
	if err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

// listen turns a reserved socket into a listener; it owns fd from here on.
func listen(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "backend")
	defer f.Close()
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return nil, err
	}
	if err := syscall.Listen(fd, syscall.SOMAXCONN); err != nil {
		return nil, err
	}
	return net.FileListener(f)
}

func release(fd int) { syscall.Close(fd) }
