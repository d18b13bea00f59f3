;; Wants a bare function.
(component (import "fetch" (func (param "url" string) (result string))))
