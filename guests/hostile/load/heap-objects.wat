;; Objects on the runtime's heap instead of in the linear memory.
(component (core module (type (struct (field i32)))))
