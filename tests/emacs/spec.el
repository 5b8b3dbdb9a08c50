;;; spec.el --- A real Emacs completes and saves by eglot: `emacs --batch -Q -l tests/emacs/spec.el'  -*- lexical-binding: t; -*-

;;; Commentary:

;; DACAPO is the binary.

;;; Code:

(defconst here (file-name-directory (or load-file-name buffer-file-name)))
(load (expand-file-name "../../editors/emacs/dacapo.el" here) nil t)

(defconst text "class Rectangle:\n    def __init__(self, width, height):\n        self.width = width\n        ")
(defconst getters
  (concat "class Rectangle:\n    def __init__(self, width, height):\n        self.width = width\n        self.height = height\n"
          "\n    def get_width(self):\n        return self.width\n\n    def get_height(self):\n"))
(defvar n-passed 0)

(defun check (name is-good &rest detail)
  "Say that NAME IS-GOOD, or end with DETAIL."
  (unless is-good
    (error "FAIL %s: %S" name detail))
  (setq n-passed (1+ n-passed))
  (message "ok   %s" name))

(defun candidate ()
  "The completion at point: its start, its end, its text, and what is called when it is taken."
  (pcase (eglot-completion-at-point)
    (`(,from ,to ,table . ,properties)
     (when-let* ((all (all-completions (buffer-substring from to) table)))
       (list from to (car all) (plist-get properties :exit-function))))))

(defun wait-for (ask)
  "What ASK says, once it says something; nothing after two minutes."
  (let ((end (+ (float-time) 120)) found)
    (while (and (not (setq found (funcall ask))) (< (float-time) end))
      (accept-process-output nil 0.2))
    found))

(let* ((folder (make-temp-file "dacapo-emacs-" t))
       (file (expand-file-name "rectangle.py" folder))
       (dacapo-command (list (getenv "DACAPO") "lsp"))
       (eglot-sync-connect 120))
  ;; The daemon and the settings are those of the test alone.
  (dolist (name '("XDG_RUNTIME_DIR" "XDG_CONFIG_HOME"))
    (setenv name (make-temp-file "dacapo-emacs-home-" t)))
  (unwind-protect
      (progn
        (with-temp-file file (insert text))
        (make-directory (expand-file-name ".git" folder))
        (dacapo-use 'python-mode)
        (find-file file)
        (apply #'eglot (eglot--guess-contact))
        (check "the server is attached" (eglot-current-server))
        (goto-char (point-max))
        (pcase (wait-for #'candidate)
          (`(,from ,to ,candidate ,take)
           (delete-region from to)
           (insert candidate)
           (funcall take candidate 'finished)
           (save-buffer)
           (let ((found (with-temp-buffer (insert-file-contents file) (buffer-string))))
             (check "a completion is taken and saved"
                    (and (string-prefix-p text found) (< (length text) (length (string-trim-right found))))
                    candidate found)
             (message "     %S" (substring found (length text)))))
          (_ (check "there is a completion" nil)))
        (find-file (expand-file-name "getters.py" folder))
        (insert getters)
        (save-buffer)
        (check "the other file is managed" (wait-for #'eglot-managed-p))
        (goto-char (1- (point-max)))
        (let ((action (seq-find (lambda (it) (equal (plist-get it :title) "Complete this body"))
                                (eglot-code-actions (point) (point) nil nil))))
          (check "there is an action for the empty body" action)
          (eglot-execute (eglot-current-server) action)
          (check "it writes a body" (wait-for (lambda () (< (length getters) (buffer-size)))) (buffer-string))
          (save-buffer)
          (message "     %S" (substring (buffer-string) (length getters))))
        (eglot-shutdown (eglot-current-server) nil 20)
        (check "the server ends" (not (eglot-current-server))))
    (call-process (getenv "DACAPO") nil nil nil "daemon" "stop")
    (dolist (made (list folder (getenv "XDG_RUNTIME_DIR") (getenv "XDG_CONFIG_HOME")))
      (delete-directory made t))))
(message "%d passed" n-passed)
(kill-emacs 0)
;;; spec.el ends here
