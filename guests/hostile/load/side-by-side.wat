;; Calls that run side by side inside the host.
(component (core func (canon task.cancel)))
